"""2D keypoints in any supported file format, as a data set of 2D-only poses."""

from camerapose.io.keypoints.reader import files, load

__all__ = ["files", "load"]
