"""Files: images, videos, keypoints of other programs, exports, downloaded assets."""
