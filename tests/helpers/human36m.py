"""Small Human3.6M data sets in each of their file layouts."""

import numpy as np

LENGTHS = {
    "S1": {"Walking 1": 7, "Walking": 5, "Sitting": 4, "SittingDown": 3},
    "S11": {"Directions": 4, "Directions 1": 6},
    "S9": {"Walking": 8},
}


def world(seed, frames, joints=32):
    random = np.random.default_rng(seed)
    return (random.normal(0, 0.3, (frames, joints, 3)) + [0, 0, 1]).astype(np.float32)


def tree_3d(joints=32):
    return {
        subject: {
            action: world(i + 10 * len(subject), frames)[:, :joints]
            for i, (action, frames) in enumerate(actions.items())
        }
        for subject, actions in LENGTHS.items()
    }


def tree_2d(joints=16, channels=2, extra=0):
    random = np.random.default_rng(5)
    return {
        subject: {
            action: [
                np.float32(random.uniform(1, 999, (t + extra, joints, channels))) for _ in range(4)
            ]
            for action, t in actions.items()
        }
        for subject, actions in LENGTHS.items()
    }


MPII_METADATA = {
    "layout_name": "mpii",
    "num_joints": 16,
    "keypoints_symmetry": [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]],
}


def write_2d(root, positions, metadata=MPII_METADATA, name="det"):
    np.savez_compressed(
        root / f"data_2d_h36m_{name}.npz", positions_2d=positions, metadata=metadata
    )
