"""SHIP's ablations: what each of them changes, its runs, its table."""
