"""Named joint formats, and formats from TOML."""

import numpy as np
import pytest
from helpers.joint_formats import CUSTOM, points_of

from camerapose.core import joint_formats
from camerapose.core.joint_formats import (
    H36M_16,
    MPI_INF_3DHP_28,
    SMPL_24,
)
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton


@pytest.mark.parametrize(
    ("skeleton", "parents"),
    [
        (
            SMPL_24,
            [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21],
        ),
        (
            MPI_INF_3DHP_28,
            [2, 0, 3, 4, -1, 1, 5, 6, 5, 8, 9, 10, 11, 5, 13, 14, 15, 16, 4, 18, 19, 20, 21, 4, 23,
             24, 25, 26],
        ),
    ],
    ids=lambda s: s.name if isinstance(s, Skeleton) else "",
)  # fmt: skip
def test_kinematic_trees_as_published(skeleton, parents):
    """SMPL's kintree_table; MPI-INF-3DHP's first-order parents (clavicles at the neck)."""
    result = [-1 if p is None else skeleton.index(p) for p in skeleton.parents]
    assert result == parents


def test_unknown_name():
    with pytest.raises(ValueError, match=r"known are h36m_16.*did you mean 'coco_17'"):
        joint_formats.get("coco17")


@pytest.fixture
def custom(tmp_path):
    path = tmp_path / "custom.toml"
    path.write_text(CUSTOM)
    return joint_formats.get(str(path))


def test_custom_format_is_saved_with_the_poses(custom, tmp_path):
    points, confidence = (np.float32(column) for column in points_of(custom))
    Poses(custom, points, confidence).save(tmp_path / "poses.npz")
    assert Poses.load(tmp_path / "poses.npz").skeleton == custom
    assert joint_formats.get(joint_formats.definition(custom)) == custom
    assert joint_formats.definition(H36M_16) == "h36m_16"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "markers"', 'name = "h36m_16"', "'h36m_16' is a built-in joint format"),
        ('name = "markers"', "name = 3", 'needs name = "..." and joints'),
        ('name = "markers"', 'names = "markers"', "unknown keys: names"),
        ('name = "markers"', "name = ", "is not valid TOML"),
        ('"left_hip:sacrum", ', "", "has 'right_hip' but no 'left_hip'"),
        ('"cap:sacrum"', '"Cap:sacrum"', "'Cap:sacrum' is not a joint"),
        ('"cap:sacrum"', '"cap:skull"', r"unknown parents: \['skull'\]"),
        ("sacrum = 0.2", "sacrum = 0.3", "'pelvis' cannot be derived from .*sum to 1"),
        ("sacrum = 0.2", "skull = 0.2", r"unknown: skull"),
        ("left_hip = 0.4", "left_hip = 0.6", "'pelvis' cannot be derived"),
        ("left_hip = 0.4, right_hip = 0.4", "left_hip = 0.5, right_hip = 0.3", "its mirror image"),
        ("{ left_collar = 1 }", "1", "`derived` needs the weights"),
        ("derived.left_shoulder = { left_collar = 1 }", "", "its mirror image 'left_shoulder'"),
    ],
)
def test_invalid_custom_formats(old, new, message, tmp_path):
    path = tmp_path / "custom.toml"
    assert old in CUSTOM
    path.write_text(CUSTOM.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        joint_formats.get(str(path))
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*custom.toml"):
        joint_formats.get(str(tmp_path / "custom.toml"))
