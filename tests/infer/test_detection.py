"""Collection of detections over the frames of a source."""

import numpy as np
import pytest
from helpers.fakes import person

from camerapose.core.joint_formats import COCO_17
from camerapose.infer import detection
from camerapose.infer.detection import Person, collect
from camerapose.infer.figures import FrameSampler
from camerapose.io.frames import Frame

IMAGE = np.zeros((48, 64, 3), np.uint8)


def tracked(n):
    """Frames with zero, one and two people in turn."""
    for i in range(n):
        one = person(10 + i)
        people = [Person(one.keypoints, one.confidence, None, 0.9, k) for k in range(i % 3)]
        yield Frame(i, i / 30, IMAGE, f"frame_{i}"), people


@pytest.mark.parametrize("block", [1, 4, 1000])
@pytest.mark.parametrize("latest", [1, 3, 10, 25, 26])
def test_the_last_frames_are_those_of_all_frames(monkeypatch, block, latest):
    every = collect(tracked(25), COCO_17, timed=True)
    monkeypatch.setattr(detection, "BLOCK_FRAMES", block)
    kept = collect(tracked(25), COCO_17, timed=True, latest=latest)
    first = 25 - min(latest, 25)
    expected = every[every.labels["frame"] >= first]
    np.testing.assert_array_equal(kept.keypoints, expected.keypoints)
    np.testing.assert_array_equal(kept.image_size, expected.image_size)
    assert {k: v.tolist() for k, v in kept.labels.items()} == {
        k: v.tolist() for k, v in expected.labels.items()
    }
    for column, complete in zip(kept.frames, every.frames, strict=True):
        np.testing.assert_array_equal(column, complete[first:])
    assert bool(kept.notes) == (latest < 25)


def test_memory_of_the_last_frames_is_bounded(monkeypatch):
    monkeypatch.setattr(detection, "BLOCK_FRAMES", 10)
    collected = detection._Collected(latest=20)
    for frame, people in tracked(500):
        collected.add(detection.one_frame(frame, people, COCO_17, True))
        assert len(collected._blocks) <= 3 and len(collected._frames) < 10


def test_sampled_images_are_those_of_the_last_frames():
    sampler = FrameSampler(max_frames=12, latest=100)
    _, people = list(tracked(2))[1]
    part = detection.one_frame(Frame(0, 0.0, IMAGE, ""), people, COCO_17, True)
    for i in range(5000):
        sampler(Frame(i, i / 30, IMAGE, ""), people, part)
        assert len(sampler.images) <= 12
        assert i < 100 or sampler.images, i
    assert min(sampler.images) >= 4900 and len(sampler.images) > 3


def test_sampled_frames_are_only_shrunk_if_they_are_large():
    _, people = list(tracked(2))[1]
    part = detection.one_frame(Frame(0, 0.0, IMAGE, ""), people, COCO_17, True)
    for width, kept in ((2000, 2000), (2001, 1600)):
        sampler = FrameSampler()
        sampler(Frame(0, 0.0, np.zeros((9, width, 3), np.uint8), ""), people, part)
        assert sampler.images[0].shape[1] == kept
