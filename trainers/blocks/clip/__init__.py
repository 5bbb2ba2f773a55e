"""The frozen CLIP: weights, towers, tokens, precision."""
