"""2D keypoints of one person to a 3D pose and a camera: python examples/predict_keypoints.py"""

import sys

import numpy as np

from camerapose import Predictor

keypoints = np.array(
    [
        [
            [960, 270],
            [975, 255],
            [945, 255],
            [996, 264],
            [924, 264],
            [1050, 390],
            [870, 390],
            [1095, 570],
            [825, 570],
            [1110, 735],
            [810, 735],
            [1020, 750],
            [900, 750],
            [1035, 990],
            [885, 990],
            [1044, 1230],
            [876, 1230],
        ]
    ],
    float,
)
confidence = np.ones((1, 17))
confidence[0, 9] = 0  # the left wrist was not seen

predictor = Predictor(*sys.argv[1:])  # no argument: the weights of the package
poses = predictor(keypoints, confidence, image_size=(1920, 1440), skeleton="coco_17")

for joint, (x, y, z) in zip(poses.skeleton.joints, poses.pose3d[0], strict=True):
    print(f"{joint:15} {x:6.2f} {y:6.2f} {z:6.2f} m")
camera = poses.camera.in_pixels(poses.image_size)
print(
    f"focal length {camera.focal[0].mean():.0f} px, {poses.root_position[0, 2]:.1f} m from the "
    f"camera, reprojection error {poses.reprojection_error[0]:.1f} px"
)
