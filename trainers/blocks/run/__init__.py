"""A run on disk: folder, identity, states to go on from, results, checkpoints."""
