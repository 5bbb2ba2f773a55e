"""The parts of download.py: where things are, how they travel, how they are unpacked, and in which order."""
