"""What all commands share: their arguments, how they end on bad input, files that are written whole. No PyTorch."""
