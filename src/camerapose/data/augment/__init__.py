"""Data augmentation: simulated detector errors, body shapes, cameras."""
