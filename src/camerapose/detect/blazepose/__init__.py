"""BlazePose: 33 landmarks of a person, from the original .tflite files, run by LiteRT.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020. One network detects
people (a face box, the centre of the hips and a point on the circle around the whole body), the
other one detects landmarks in an upright square crop of one person. Strides, windows and margins
are those of MediaPipe's pose graph. Differences to MediaPipe: parts of the image are searched
too, which finds small people; a new crop is corrected once by its own landmarks; a pose with flat
heatmaps is rejected; and nothing is smoothed over time.
"""

from camerapose.detect.blazepose.detector import Detector

__all__ = ["Detector"]
