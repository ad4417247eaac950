"""People of a COCO annotation file."""

import numpy as np


def person(i, image, low=100, high=400, flags=2, **more):
    random = np.random.default_rng(i)
    keypoints = np.zeros((17, 3), int)
    keypoints[:, :2] = random.integers(low, high, (17, 2))
    keypoints[:, 2] = flags
    keypoints[keypoints[:, 2] == 0] = 0
    return {
        "id": i, "image_id": image, "category_id": 1, "iscrowd": 0, "area": 5000.0,
        "bbox": [low, low, high - low, high - low], "segmentation": [[1.0, 2.0]],
        "num_keypoints": int((keypoints[:, 2] > 0).sum()), "keypoints": keypoints.ravel().tolist(),
    } | more  # fmt: skip
