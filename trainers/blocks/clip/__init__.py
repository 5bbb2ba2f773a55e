"""The frozen CLIP: weights, towers, tokens, precision."""

from .importing import import_clip

import_clip()  # before a module here imports it
