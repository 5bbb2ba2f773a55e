"""What scripts/gpu_check.sh consists of: the packages that it needs, its parts, their report."""
