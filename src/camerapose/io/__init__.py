"""Read images, videos, webcams and keypoints; write results, exports and downloaded files."""
