"""What protocol commands are asked for, the runs that follow from it, and where those lie. No PyTorch."""
