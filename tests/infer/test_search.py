"""Search of rotated copies and parts of images."""

import numpy as np
import pytest

from camerapose.core import joint_formats
from camerapose.detect._base import Detection
from camerapose.infer.detection import detect
from camerapose.infer.search import View, ViewDetector, search, views
from camerapose.io.frames import Frame


class Fake:
    """Detects the white pixel of an image if the pixel below is grey: upright, and large."""

    skeleton, max_people = "coco_17", 1

    def __init__(self, max_side=10**6):
        self.max_side, self.calls = max_side, 0

    def __call__(self, image, *, track=False):
        self.calls += 1
        rows, columns = np.nonzero(image[:-1, :, 0] == 255)
        return [
            Detection(
                np.full((17, 2), (x + 0.5, y + 0.5), np.float32), np.ones(17, np.float32),
                np.array([x, y, x + 1, y + 1], np.float32), 0.9,
            )
            for y, x in zip(rows, columns, strict=True)
            if image[y + 1, x, 0] == 128 and max(image.shape) <= self.max_side
        ]  # fmt: skip

    def reset(self):
        pass


def image(width=640, height=500, turns=0):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[100, 200], pixels[101, 200] = 255, 128
    return np.ascontiguousarray(np.rot90(pixels, turns))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotated_people(turns):
    turned = image(turns=turns)
    view, people = search(Fake(), turned)
    assert view == View(4 - turns)
    x, y = people[0].keypoints[0]
    assert turned[int(y), int(x), 0] == 255
    assert people[0].box[0] < x < people[0].box[2] and people[0].box[1] < y < people[0].box[3]


def test_small_people():
    view, people = search(Fake(max_side=250), image())
    np.testing.assert_array_equal(people[0].keypoints[0], (200.5, 100.5))
    assert len(people) == 1 and "parts" in str(view)


def test_people_are_only_searched_if_none_is_detected():
    fake, notes = Fake(), []
    for turns, calls in ((0, 1), (2, 1 + 1 + 3)):
        frame = Frame(0, 0.0, image(turns=turns), "a.jpg")
        _, people = next(detect(iter([frame]), fake, False, notes))
        assert len(people) == 1 and fake.calls == calls
    assert notes == ["a.jpg: people were only detected rotated by 180 degrees"]
    fake = Fake()
    assert not next(detect(iter([frame]), fake, True))[1] and fake.calls == 1
    assert search(Fake(), np.zeros((500, 640, 3), np.uint8)) is None


class Uncertain(Fake):
    """Also detects something with a low score at the origin of every image."""

    def __call__(self, image, *, track=False):
        wrong = Detection(np.zeros((17, 2), np.float32), np.ones(17, np.float32),
                          np.array([0, 0, 9, 9], np.float32), 0.45)  # fmt: skip
        return [*super().__call__(image), wrong]


@pytest.mark.parametrize("turns", [0, 2])
def test_an_uncertain_detection_does_not_hide_people_in_other_views(turns):
    notes = []
    frame = Frame(0, 0.0, image(turns=turns), "a.jpg")
    _, people = next(detect(iter([frame]), Uncertain(), False, notes))
    assert people[0].score == pytest.approx(0.9) and len(notes) == (turns > 0)


def test_an_uncertain_detection_is_kept_if_there_is_nothing_better():
    frame = Frame(0, 0.0, np.zeros((500, 640, 3), np.uint8), "a.jpg")
    _, people = next(detect(iter([frame]), Uncertain(), False, notes := []))
    assert len(people) == 1 and people[0].score == pytest.approx(0.45) and not notes


def test_views_cover_the_image():
    covered = np.zeros((2160, 3840), bool)
    for view in list(views(3840, 2160))[1]:
        x0, y0, x1, y1 = view.part
        covered[y0:y1, x0:x1] = True
    assert covered.all() and len(list(views(300, 200))) == 1
    assert joint_formats.get(ViewDetector(Fake(), View(2)).skeleton)
