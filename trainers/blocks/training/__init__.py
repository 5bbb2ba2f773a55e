"""The training loop, evaluation, and the values that the configuration can have."""

from ..engine.patches import patch

patch()  # Dassl, whichever engine answers to its name, before any of its trainers is built
