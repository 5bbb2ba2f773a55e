"""Runs of train.py as jobs of submitit: on this machine's cores, or on a SLURM cluster."""
