"""Keypoint files of other programs."""

import numpy as np

from camerapose.core.formats import COCO_17


def flat(skeleton=COCO_17, seed=0, score=0.75):
    random = np.random.default_rng(seed)
    points = random.uniform(50, 450, (skeleton.n_joints, 2)).round(2)
    return np.column_stack([points, np.full(skeleton.n_joints, score)]).ravel().tolist()
