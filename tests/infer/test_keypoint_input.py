"""2D keypoints of other programs as the source of a prediction."""

import numpy as np
import pytest
from helpers import keypoint_writers as writers
from helpers.keypoint_writers import SIZE

from camerapose.infer.keypoint_input import read_keypoints
from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict
from camerapose.io.source import Source


def read(path, **options):
    lines = []
    options = PredictOptions(image_size=SIZE, **options)
    return read_keypoints(Source.open(path), options, lines.append), lines


@pytest.fixture
def clip():
    return writers.clip("body_25", frames=12, people=2)


def test_people_without_identities_are_tracked(clip, tmp_path):
    """Their order in the file changes in every other frame."""
    pytest.importorskip("trackers")
    frames = clip.by_frame()
    order = [i for f, rows in frames.items() for i in (rows if f % 2 else rows[::-1])]
    clip.points, clip.scores = clip.points[order], clip.scores[order]
    clip.frame, who = clip.frame[order], clip.person[order]
    clip.person = np.full(len(order), -1)
    detections, _ = read(writers.openpose(clip, tmp_path))
    pairs = set(zip(who.tolist(), detections.labels["person"].tolist(), strict=True))
    assert len(pairs) == 2 and len({identity for _, identity in pairs}) == 2


def test_unrelated_images_are_not_tracked(clip, tmp_path):
    random = np.random.default_rng(0)
    clip.points = clip.points * 0.2 + random.uniform(0, 300, (len(clip.points), 1, 2))
    clip.person = np.full(len(clip.points), -1)
    detections, _ = read(writers.openpose(clip, tmp_path))
    assert set(detections.labels["person"].tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        ({"start": 48}, [48, 66, 90]), ({"end": 49}, [31, 48]), ({}, [31, 48, 66, 90]),
        ({"start": 30, "stride": 2}, [48, 66, 90]),
    ],
)  # fmt: skip
def test_frames_are_selected_by_number(options, frames, tmp_path):
    clip = writers.clip("coco_17", frames=3)
    clip.points, clip.scores = clip.points[[0, 0, 1, 2]], clip.scores[[0, 0, 1, 2]]
    clip.frame, clip.person = np.array([31, 48, 66, 90]), np.zeros(4, int)
    path = writers.alphapose(clip, tmp_path)
    detections, _ = read(path, **options)
    assert detections.labels["frame"].tolist() == frames
    with pytest.raises(ValueError, match="has frames 31 to 90"):
        read(path, start=2, end=4)


def test_frames_without_people_are_counted(clip, tmp_path):
    detections, _ = read(writers.openpose(clip, tmp_path))
    assert len(detections.frames[0]) == 12 and detections.frames_with_people == 11


def test_messages_are_logged_and_times_set(tmp_path):
    path = writers.numbered_table(writers.clip("blazepose_33"), tmp_path)
    detections, lines = read(path, fps=10.0)
    assert "converted to pixels" in lines[0]
    assert detections.labels["time"].tolist() == [0, 0.1, 0.2]


def test_slow_motion_divides_times(tmp_path):
    path = writers.alphapose(writers.clip("coco_17"), tmp_path)
    poses = predict(path, options=PredictOptions(image_size=SIZE, fps=30.0, slowmo=8.0))
    np.testing.assert_allclose(poses.labels["time"], np.arange(3) / 240)
    with pytest.raises(ValueError, match="slowmo requires times"):
        read(path, slowmo=8.0)
    with pytest.raises(ValueError, match="slowmo is -1"):
        PredictOptions(slowmo=-1.0)


def test_frames_of_a_video_without_a_rate_are_logged(clip, tmp_path):
    path = writers.openpose(clip, tmp_path)
    assert any("frame rate unknown" in line for line in read(path)[1])
    for options in ({"fps": 25.0}, {"smooth": 0.0}, {"end": 1}):
        assert not any("frame rate unknown" in line for line in read(path, **options)[1])
