"""A joint format from TOML, and points in any joint format."""

import numpy as np

#: Its pelvis, thorax and shoulders are derived from markers.
CUSTOM = """
name = "markers"
joints = ["sacrum", "left_hip:sacrum", "right_hip:sacrum", "left_collar:sacrum",
          "right_collar:sacrum", "cap:sacrum"]
derived.pelvis = { sacrum = 0.2, left_hip = 0.4, right_hip = 0.4 }
derived.thorax = { left_collar = 0.5, right_collar = 0.5 }
derived.left_shoulder = { left_collar = 1 }
derived.right_shoulder = { right_collar = 1 }
"""


def points_of(skeleton, n=5, d=2, seed=0):
    """Return random points and confidences of one."""
    random = np.random.default_rng(seed)
    return random.normal(size=(n, skeleton.n_joints, d)), np.ones((n, skeleton.n_joints))
