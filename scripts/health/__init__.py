"""The parts of doctor.py: the environment, the datasets, and what to do about what is missing."""
