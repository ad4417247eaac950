"""Inference without PyTorch: keypoints to 3D poses, and whole inputs to result files."""
