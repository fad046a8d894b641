"""One file for each method in PyTorch."""
