"""SHIP's own: PromptVAE, synthesizers, mixed batches."""
