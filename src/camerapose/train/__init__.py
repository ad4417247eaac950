"""Training: configuration, the three stages, checkpoints, fine-tuning."""
