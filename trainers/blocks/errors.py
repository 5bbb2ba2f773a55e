"""The exception for everything that the user has to put right."""


class InputError(ValueError):
    """Bad input to a trainer: the message says what is wrong, which file or key, and what to do."""
