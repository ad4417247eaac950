"""2D keypoints written by other programs: one file per format."""
