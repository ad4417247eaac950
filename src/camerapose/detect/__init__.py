"""2D detectors: an image in, people's joints in pixels out.  The file is the plug-in.

`detect/NAME.py` is the detector `NAME`.  It holds a class `Detector` with

    skeleton: str                            name of a format (`camerapose.core.formats.get`)
    __init__(self, ...)                      plain arguments, all with defaults
    __call__(self, image, *, track=False)    list of people, the most prominent one first
    reset(self)                              forget the people tracked so far

`image` is uint8, (height, width, 3), RGB.  With `track=True` the images are consecutive frames of
one video and the detector may use what it saw in the frame before; `reset` starts another video.

Each person has `keypoints` (joints, 2) float32 in pixels (origin at the image's top left corner, x
right, y down, a pixel's centre at +0.5), `confidence` (joints,) float32 in [0, 1], `box` (4,)
float32 x0 y0 x1 y1 in pixels, `score` in [0, 1] and `person`, a number that stays with somebody
while tracked.

What a detector needs beyond numpy and Pillow is imported in its own file; model files come through
`camerapose.io.assets`.
"""
