"""What makes Dassl, and the engine that stands in for it, behave alike."""
