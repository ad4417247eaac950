"""Lift 2D keypoints of one person: python examples/predict_keypoints.py [WEIGHTS]"""

import sys

import numpy as np

import camerapose

# Pixels of an image of 1920 x 1440; joints in the order of COCO.
keypoints = np.array(
    [[960, 270], [975, 255], [945, 255], [996, 264], [924, 264], [1050, 390], [870, 390],
     [1095, 570], [825, 570], [1110, 735], [810, 735], [1020, 750], [900, 750], [1035, 990],
     [885, 990], [1044, 1230], [876, 1230]], float
)  # fmt: skip
confidence = np.ones(17)
confidence[9] = 0  # the left wrist is not visible

weights = sys.argv[1] if len(sys.argv) > 1 else "open"
predictor = camerapose.Predictor(weights)
poses = predictor(keypoints, confidence, image_size=(1920, 1440), skeleton="coco_17")

for joint, (x, y, z) in zip(poses.skeleton.joints, poses.pose3d[0], strict=True):
    print(f"{joint:15} {x:6.2f} {y:6.2f} {z:6.2f} m")
focal = poses.camera.in_pixels(poses.image_size).focal[0].mean()
depth, error = poses.root_position[0, 2], poses.reprojection_error[0]
print(f"{depth:.1f} m from the camera, focal length {focal:.0f} px, reprojection {error:.1f} px")
