"""BlazePose: tracking, errors, and the real networks if they are cached."""

import warnings

import numpy as np
import pytest
from PIL import Image

from camerapose.detect import blazepose
from camerapose.detect._base import Detection, keypoint_box
from camerapose.detect.blazepose import detector as detector_module
from camerapose.detect.blazepose import networks
from camerapose.detect.blazepose.crop import Roi
from camerapose.detect.blazepose.landmarks import Pose
from camerapose.io import assets
from camerapose.io.source import Source

RNG = np.random.default_rng(0)


def cached(*names):
    """Whether files are in the cache, without downloading them."""
    return all((assets.cache_dir() / name).is_file() for name in names)


class FakeDetector(blazepose.Detector):
    """A detector without networks that detects people at `people` (x, y of the hips)."""

    def __init__(self, max_people=1):
        self.max_people = max_people
        self.people: list[tuple[float, float]] = []
        self.searches = 0
        self.reset()

    def _find_people(self, image, parts):
        self.searches += 1
        return [Roi(x, y, 100.0, 0.0) for x, y in self.people]

    def _find_landmarks(self, image, roi):
        near = [p for p in self.people if np.hypot(p[0] - roi.x, p[1] - roi.y) < 30]
        if not near:
            return None
        keypoints = np.full((33, 2), near[0], np.float32)
        keypoints[::2] += 20
        detection = Detection(keypoints, np.ones(33, np.float32), keypoint_box(keypoints), 0.9)
        return Pose(detection, Roi(*near[0], 100.0, 0.0))


class TestTracking:
    image = np.zeros((240, 320, 3), np.uint8)

    def test_tracks_without_searching(self):
        detector = FakeDetector()
        for step in range(9):
            detector.people = [(100 + 10 * step, 100)]
            (person,) = detector(self.image, track=True)
            assert person.person == 0 and person.keypoints[1, 0] == 100 + 10 * step
        assert detector.searches == 1

    def test_lost_person_is_searched_at_once_and_keeps_the_identity(self):
        detector = FakeDetector()
        detector.people = [(100, 100)]
        detector(self.image, track=True)
        detector.people = [(140, 100)]  # outside the tracked crop
        assert [p.person for p in detector(self.image, track=True)] == [0]
        detector.people = [(300, 200)]
        assert [p.person for p in detector(self.image, track=True)] == [1]

    def test_no_person(self):
        assert FakeDetector()(self.image, track=True) == []

    def test_people_keep_their_identities(self):
        detector = FakeDetector(max_people=3)
        detector.people = [(100, 100), (200, 100)]
        assert [p.person for p in detector(self.image, track=True)] == [0, 1]
        detector.people = [(210, 100)]
        assert [p.person for p in detector(self.image, track=True)] == [1]

    def test_images_are_independent(self):
        detector = FakeDetector(max_people=3)
        detector.people = [(100, 100), (200, 100)]
        for _ in range(2):
            assert [p.person for p in detector(self.image)] == [0, 1]

    def test_same_pose_is_returned_once(self):
        detector = FakeDetector(max_people=3)
        detector.people = [(100, 100), (110, 100)]
        assert len(detector(self.image)) == 1

    def test_reset_starts_another_video(self):
        detector = FakeDetector()
        detector.people = [(100, 100)]
        detector(self.image, track=True)
        detector.reset()
        detector.people = [(300, 200)]
        assert [p.person for p in detector(self.image, track=True)] == [0]


class TestErrors:
    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((9, 9), np.uint8),
            np.zeros((9, 9, 4), np.uint8),
            np.zeros((9, 9, 3), np.float32),
            np.zeros((0, 9, 3), np.uint8),
        ],
    )
    def test_image(self, image):
        with pytest.raises(ValueError, match="expected uint8 RGB"):
            FakeDetector()(image)

    def test_model_and_number_of_people(self):
        with pytest.raises(ValueError, match="choose from full, heavy"):
            blazepose.Detector("huge")
        with pytest.raises(ValueError, match="max_people=0"):
            blazepose.Detector(max_people=0)


@pytest.mark.parametrize(("load", "idle"), [(0.2, 4), (0.9, 3), (3.9, 0), (12.0, -8)])
def test_cores_with_work_are_not_idle(monkeypatch, load, idle):
    monkeypatch.setattr(detector_module.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(detector_module.os, "getloadavg", lambda: (load, 9.0, 9.0), raising=False)
    assert detector_module.idle_cores() == idle


def test_load_is_unknown_on_some_systems(monkeypatch):
    monkeypatch.setattr(detector_module.os, "cpu_count", lambda: 4)
    monkeypatch.delattr(detector_module.os, "getloadavg", raising=False)
    assert detector_module.idle_cores() == 3


class TestFallback:
    @pytest.fixture(autouse=True)
    def no_heavy(self, monkeypatch, tmp_path):
        def asset(name):
            if "heavy" in name:
                raise FileNotFoundError("cannot download pose_landmark_heavy.tflite")
            return tmp_path / name

        monkeypatch.setattr(networks, "asset", asset)

    def test_fallback_warns(self):
        with pytest.warns(UserWarning, match="using BlazePose full instead of heavy"):
            model, path = networks.landmark_file("heavy", fallback=True)
        assert model == "full" and path.name == "pose_landmark_full.tflite"

    def test_no_fallback_unless_requested(self):
        with pytest.raises(FileNotFoundError, match="cannot download"):
            networks.landmark_file("heavy", fallback=False)

    def test_full_needs_no_fallback(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert networks.landmark_file("full", fallback=True)[0] == "full"


@pytest.mark.skipif(not cached("pose_landmark_full.tflite"), reason="the model is not in the cache")
def test_network_with_some_outputs_computes_the_same():
    path = networks.landmark_file("full", fallback=False)[1]
    image = RNG.random((1, 256, 256, 3), np.float32)
    every = networks.load_network(path, 1)(image)
    for outputs in [(0, 1, 3), (3, 0)]:
        some = networks.load_network(path, 1, outputs)(image)
        assert len(some) == len(outputs)
        for number, values in zip(outputs, some, strict=True):
            np.testing.assert_array_equal(values, every[number])


@pytest.mark.skipif(not cached("pose_landmark_full.tflite"), reason="the model is not in the cache")
def test_operators_of_other_outputs_are_left_out():
    from ai_edge_litert import schema_py_generated as schema

    content = networks.landmark_file("full", fallback=False)[1].read_bytes()
    some = networks.with_outputs(content, (0, 1, 3))
    before, after = (
        schema.Model.GetRootAsModel(data, 0).Subgraphs(0).OperatorsLength()
        for data in (content, some)
    )
    assert (before, after) == (332, 282) and len(some) == len(content)


@pytest.fixture(scope="module")
def detector():
    return blazepose.Detector("full", threads=2)


@pytest.fixture(scope="module")
def man():
    """Return an image of a man, facing the camera, on a wall whose top is at about y = 460."""
    return next(Source.open(assets.cache_dir() / "demo.mp4").frames()).image


@pytest.mark.skipif(
    not cached("pose_detection.tflite", "pose_landmark_full.tflite", "demo.mp4"),
    reason="the models and the sample video are not in the cache",
)
class TestRealModel:
    LEFT, RIGHT = [11, 13, 15, 23, 25, 27], [12, 14, 16, 24, 26, 28]
    ANKLES = [27, 28]

    def test_detects_the_man(self, detector, man):
        (person,) = detector(man)
        assert person.keypoints.shape == (33, 2) and person.keypoints.dtype == np.float32
        assert detector.skeleton == "blazepose_33" and person.score > 0.6
        assert (person.keypoints[self.LEFT, 0] > person.keypoints[self.RIGHT, 0]).all()
        np.testing.assert_allclose(person.keypoints[self.ANKLES, 1], 445, atol=25)
        assert 80 < person.keypoints[0, 1] < 125  # nose
        assert ((person.confidence >= 0) & (person.confidence <= 1)).all()

    def test_mirrored_image_gives_the_mirrored_person(self, detector, man):
        (person,) = detector(man)
        (mirrored,) = detector(np.ascontiguousarray(man[:, ::-1]))
        difference = mirrored.keypoints[self.RIGHT] - person.keypoints[self.LEFT] * [-1, 1]
        np.testing.assert_allclose(difference - [man.shape[1], 0], 0, atol=15)

    def test_scaled_image_gives_scaled_keypoints(self, detector, man):
        (person,) = detector(man)
        half = np.asarray(Image.fromarray(man).reduce(2))
        (small,) = detector(half)
        difference = small.keypoints[11:] * 2 - person.keypoints[11:]
        assert np.median(np.abs(difference)) < 4

    def test_no_person_in_noise(self, detector):
        assert detector(RNG.integers(0, 255, (120, 160, 3), np.uint8)) == []

    @pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (500, 3, 3)])
    def test_extreme_sizes(self, detector, shape):
        assert detector(np.zeros(shape, np.uint8)) == []
