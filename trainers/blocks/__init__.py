"""What the trainers share; imports dassl, clip and torch, and nothing above it."""
