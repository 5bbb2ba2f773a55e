"""The training loop, evaluation, and the values that the configuration can have."""
