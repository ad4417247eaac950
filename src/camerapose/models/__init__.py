"""PyTorch networks, their losses, and their files on disk."""
