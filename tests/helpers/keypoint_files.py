"""Keypoint files of other programs: people whose joints every format can name."""

import numpy as np

from camerapose.core.joint_formats import COCO_17

#: A standing person who faces the camera, in pixels, by the names of joints on the left and in the
#: middle; the right side is the mirror image. The person's left is at larger x.
PERSON = {
    "nose": (0, 0), "left_eye": (8, -9), "left_eye_inner": (5, -9), "left_eye_outer": (11, -9),
    "left_ear": (17, -5), "left_mouth": (6, 9), "head": (0, -12), "head_top": (0, -38),
    "neck_nose": (0, 8), "upper_neck": (0, 28), "thorax": (0, 45), "spine4": (0, 60),
    "left_collar": (18, 45), "left_clavicle": (14, 46), "left_shoulder": (42, 47),
    "left_elbow": (56, 108), "left_wrist": (62, 162), "left_hand": (64, 178),
    "left_pinky": (60, 180), "left_index": (64, 182), "left_thumb": (58, 174),
    "upper_spine": (0, 80), "spine3": (0, 82), "middle_spine": (0, 105), "spine2": (0, 102),
    "spine": (0, 112), "lower_spine": (0, 132), "pelvis": (0, 162), "left_hip": (26, 164),
    "left_knee": (30, 248), "left_ankle": (32, 330), "left_heel": (28, 342),
    "left_foot": (36, 346), "left_toe": (40, 350), "left_foot_index": (40, 350),
    "left_big_toe": (38, 350), "left_small_toe": (46, 348),
}  # fmt: skip


def person(joints, seed=0, noise=2.0):
    """Return joints (n, 2) of a person somewhere in an image of 640 x 480 pixels."""
    random = np.random.default_rng(seed)
    points = []
    for joint in joints:
        side, _, part = joint.partition("_")
        x, y = PERSON[f"left_{part}" if side == "right" else joint]
        points.append((-x if side == "right" else x, y))
    scale, centre = random.uniform(0.8, 1.05), (random.uniform(150, 450), random.uniform(60, 90))
    jitter = random.normal(0, noise, (len(points), 2))
    return ((np.array(points, float) + jitter) * scale + centre).round(2)


def flat(skeleton=COCO_17, seed=0, score=0.75):
    """Return a person as x, y, score of each joint, one after the other."""
    points = person(skeleton.joints, seed)
    return np.column_stack([points, np.full(len(points), score)]).ravel().tolist()
