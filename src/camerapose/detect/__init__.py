"""2D detectors: from an image to the keypoints of people. One plug-in per file or package.

`detect/NAME.py` is the detector `NAME`. It contains a class `Detector` that fulfils the protocol
`camerapose.detect._base.Detector`. Packages other than numpy and Pillow are imported by the file
that needs them; model files are downloaded by `camerapose.io.assets`.
"""
