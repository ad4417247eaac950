"""The three stages of training (section 4.3): refinement, warm-up, joint."""
