"""Checks of data sets: what each problem in the poses is reported as."""

from dataclasses import replace

import numpy as np
import pytest

from camerapose.core.camera import Camera
from camerapose.data.check import check_poses
from camerapose.data.datasets import synthetic


@pytest.fixture(scope="module")
def poses():
    synthetic_poses = synthetic.load(n=60)
    return replace(synthetic_poses, labels={"subject": np.repeat(["S1", "S2", "S3"], 20)})


def problems(poses, expected=None):
    return check_poses(poses, expected or {}).problems


def test_valid_poses_have_no_problems(poses):
    report = check_poses(poses, {"subject": {"S1": 20, "S2+S3": 40}})
    assert report.problems == []
    text = "\n".join(report.lines)
    assert "60 poses of h36m_16" in text and "subject: S1 20, S2 20, S3 20" in text
    assert "as published, by subject: 2 of 2" in text
    assert "published counts: unknown" in check_poses(poses, {}).lines


def test_different_counts(poses):
    labels = poses.labels | {"action": np.array(["walk", "run"] * 30)}
    labelled = replace(poses, labels=labels)
    assert problems(labelled, {"subject": {"S1": 21, "S2": None, "S4": 5, "S5": None}}) == [
        "missing, by subject: S4, S5",
        "not in the published data, by subject: S3",
        "subject S1: 20 of 21 published poses",
    ]
    by_both = {"subject/action": {"S1/walk": 10, "S2/sit": None}}
    assert "missing, by subject/action: S2/sit" in problems(labelled, by_both)
    assert problems(poses, {"split": {"train": 1}}) == ["no label split to count by"]


def test_invalid_numbers(poses):
    pose3d = poses.pose3d.copy()
    pose3d[3, 5] = np.nan
    reported = problems(replace(poses, pose3d=pose3d))
    assert "1 poses contain NaN or infinity" in reported
    confidence = poses.confidence.copy()
    confidence[1, 2] = 1.5
    assert problems(replace(poses, confidence=confidence)) == [
        "1 confidences are not between 0 and 1"
    ]


def test_wrong_unit(poses):
    """Millimetres for metres: the projection stays, the size does not."""
    huge = poses.pose3d * 1000
    camera = replace(poses.camera, translation=huge[:, 0].copy())
    reported = problems(replace(poses, pose3d=huge, camera=camera))
    assert "people are not of human size: the unit should be metres" in reported
    assert any("bone right_hip has the length" in problem for problem in reported)


def test_wrong_frame(poses):
    """y up for y down: the 3D no longer projects onto the 2D."""
    flipped = poses.pose3d * np.float32([1, -1, 1])
    camera = replace(poses.camera, translation=flipped[:, 0].copy())
    reported = problems(replace(poses, pose3d=flipped, camera=camera))
    assert len(reported) == 1 and reported[0].startswith(
        "the 3D does not project onto the 2D (median "
    )


def test_people_behind_the_camera(poses):
    behind = poses.pose3d * np.float32([-1, -1, -1])
    reported = problems(replace(poses, pose3d=behind))
    assert "60 poses are behind the camera" in reported
    assert "the cameras' translations are not the positions of the roots" in reported


def test_wrong_image_size(poses):
    tiny = replace(poses, pose2d=poses.pose2d + 3)
    assert "most joints are outside the image: wrong size or wrong unit" in problems(tiny)


def test_asymmetric_bones(poses):
    pose3d = poses.pose3d.copy()
    knee, ankle = (poses.skeleton.index(f"left_{joint}") for joint in ("knee", "ankle"))
    pose3d[:, ankle] = pose3d[:, knee] + 0.5 * (pose3d[:, ankle] - pose3d[:, knee])
    camera = Camera(poses.camera.focal, poses.camera.center, pose3d[:, 0].copy())
    shorter = replace(poses, pose3d=pose3d, camera=camera, pose2d=camera.project(pose3d))
    reported = problems(shorter)
    assert len(reported) == 3 and all("left_ankle and its mirror differ by" in p for p in reported)


def test_2d_only_and_empty(poses):
    flat = replace(poses, pose3d=None, camera=None)
    assert problems(flat) == []
    assert problems(poses[:0]) == ["no poses"]
