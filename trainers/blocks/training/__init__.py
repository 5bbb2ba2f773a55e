"""The training loop, evaluation, and the values that the configuration can have."""

from ..engine.mends import mend

mend()  # Dassl, whichever engine answers to its name, before any of its trainers is built
