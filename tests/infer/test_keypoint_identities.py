"""Identities, and left and right, over the frames of keypoint files."""

import numpy as np
import pytest
from helpers import keypoint_writers as writers
from helpers.keypoint_writers import SIZE

from camerapose.core.joint_formats import BODY_25
from camerapose.infer.keypoint_input import read_keypoints
from camerapose.infer.options import PredictOptions
from camerapose.io.source import Source


def read(path, **options):
    return read_keypoints(Source.open(path), PredictOptions(image_size=SIZE, **options), print)


def crossing(frames=40):
    """Two people who walk past each other, one of them taller; their order varies."""
    clip = writers.clip("body_25", frames=3, people=2)
    bodies = clip.points[:2] - clip.points[:2].mean(1, keepdims=True)
    bodies[1] *= 0.8
    x = np.linspace(160, 480, frames)
    random = np.random.default_rng(0)
    clip.points = np.concatenate(
        [
            (bodies + [[[a, 240.0]], [[b, 240.0]]])[:: random.choice([-1, 1])]
            for a, b in zip(x, x[::-1], strict=True)
        ]
    )
    clip.scores = np.full(clip.points.shape[:2], 0.9)
    clip.frame, clip.person = np.repeat(np.arange(frames), 2), np.full(2 * frames, -1)
    return clip


def test_people_who_cross_keep_their_identities(tmp_path):
    pytest.importorskip("trackers")
    clip = crossing()
    detections = read(writers.openpose(clip, tmp_path), fps=30.0)
    size = np.linalg.norm(np.ptp(detections.keypoints, axis=1), axis=-1)
    tall = size > np.median(size)
    identities = detections.labels["person"]
    assert len(np.unique(identities)) == 2
    assert len(set(zip(identities.tolist(), tall.tolist(), strict=True))) == 2


@pytest.mark.parametrize("fps", [None, 30.0])
def test_left_and_right_are_corrected(fps, tmp_path):
    clip = writers.clip("body_25", frames=20)
    body = [
        i
        for i, joint in enumerate(BODY_25.joints)
        if joint.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
        and not joint.startswith("mid")
    ]
    expected, mirror = clip.points.copy(), np.array(BODY_25.mirror)
    for row in range(7, 11):
        clip.points[row, body] = expected[row][mirror[body]]
    detections = read(writers.openpose(clip, tmp_path), fps=fps)
    assert detections.swapped == 4
    joints = [detections.skeleton.index(BODY_25.joints[i]) for i in body]
    np.testing.assert_allclose(detections.keypoints[:, joints], expected[:, body], atol=0.01)


def test_unrelated_images_are_not_corrected(tmp_path):
    clip = writers.clip("coco_17", frames=20)
    random = np.random.default_rng(0)
    clip.points = clip.points * 0.2 + random.uniform(0, 300, (len(clip.points), 1, 2))
    mirrored = clip.points[5].copy()
    clip.points[5] = mirrored[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]]
    assert read(writers.openpose(clip, tmp_path)).swapped == 0
