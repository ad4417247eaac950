"""BlazePose: its geometry and decoding against plain computations; the models where they are."""

import warnings

import numpy as np
import pytest
from PIL import Image

from camerapose.detect import blazepose
from camerapose.detect.blazepose import Roi, crop, decode, letterbox, refine, tiles
from camerapose.io import assets, media

RNG = np.random.default_rng(0)


def cached(*names):
    """Whether the real files are at hand, without fetching them."""
    return all((assets.cache_dir() / name).is_file() for name in names)


def smooth_image(width=320, height=240):
    """Colours that tell the place: red grows with x, green with y."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([255 * x / width, 255 * y / height, 0 * x], axis=2).astype(np.uint8)


class TestAnchors:
    def test_number_is_the_networks(self):
        assert blazepose.anchors().shape == (2254, 2)

    def test_order_is_row_by_row_from_fine_to_coarse(self):
        slow = [
            ((column + 0.5) * stride, (row + 0.5) * stride)
            for stride, per_cell in [(8, 2), (16, 2), (32, 6)]
            for row in range(224 // stride)
            for column in range(224 // stride)
            for _ in range(per_cell)
        ]
        np.testing.assert_allclose(blazepose.anchors(), slow)


class TestRoi:
    def test_somebody_upright(self):
        roi = Roi.from_alignment(np.array([100.0, 80.0]), np.array([100.0, 40.0]))
        assert roi == pytest.approx((100, 80, 2 * 40 * 1.25, 0))

    @pytest.mark.parametrize("degrees", [-170, -90, -30, 0, 45, 90, 180])
    def test_points_up_in_the_crop_whatever_the_turn(self, degrees):
        angle = np.radians(degrees)
        head = np.array([100, 80]) + 40 * np.array([np.sin(angle), -np.cos(angle)])
        matrix = Roi.from_alignment(np.array([100.0, 80.0]), head).to_image()
        to_crop = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
        np.testing.assert_allclose((to_crop @ [100, 80, 1])[:2], [128, 128], atol=1e-9)
        np.testing.assert_allclose((to_crop @ [*head, 1])[:2], [128, 128 - 128 / 1.25], atol=1e-9)

    def test_map_keeps_angles_and_does_not_mirror(self):
        linear = Roi(3, 4, 512, 0.7).to_image()[:, :2]
        np.testing.assert_allclose(linear @ linear.T, 4 * np.eye(2), atol=1e-12)
        assert np.linalg.det(linear) == pytest.approx(4)

    def test_bounds_hold_the_corners(self):
        roi = Roi(30, 40, 20, 0.6)
        corners = np.array([[0, 0], [256, 0], [0, 256], [256, 256]])
        corners = corners @ roi.to_image()[:, :2].T + roi.to_image()[:, 2]
        np.testing.assert_allclose(roi.bounds(), [*corners.min(0), *corners.max(0)])


class TestLetterbox:
    @pytest.mark.parametrize("size", [(320, 240), (240, 320), (100, 100), (1000, 3)])
    def test_image_stands_where_it_says(self, size):
        width, height = size
        tensor, scale, (left, top) = letterbox(np.full((height, width, 3), 255, np.uint8))
        assert tensor.shape == (1, 224, 224, 3) and tensor.dtype == np.float32
        white = np.argwhere(tensor[0, :, :, 0] > 0.99)
        np.testing.assert_allclose(white.min(0), [top, left])
        expected = np.array([height, width]) * scale
        np.testing.assert_allclose(white.max(0) + 1 - white.min(0), expected.clip(1), atol=0.6)
        assert tensor.min() == (1 if width == height else -1)


class TestTiles:
    @pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (640, 640), (333, 100)])
    @pytest.mark.parametrize("part", [1, 2])
    def test_cover_the_image_and_overlap(self, size, part):
        side = min(size) // part
        found = tiles(*size, side)
        for axis in (0, 1):
            starts = sorted({t[axis] for t in found})
            assert starts[0] == 0 and starts[-1] == size[axis] - side
            assert all(b - a <= side / 2 + 1 for a, b in zip(starts, starts[1:], strict=False))
        assert all(t[2] - t[0] == t[3] - t[1] == side for t in found)
        assert len(set(found)) == len(found)


class TestCrop:
    def colours(self, roi, image):
        """What the crop's pixels should show, from the map alone."""
        height, width = image.shape[:2]
        v, u = np.mgrid[:256, :256] + 0.5
        matrix = roi.to_image()
        x, y = np.tensordot(matrix[:, :2], np.stack([u, v]), axes=1) + matrix[:, 2, None, None]
        x, y = x.clip(0.5, width - 0.5), y.clip(0.5, height - 0.5)  # beyond, the border goes on
        return np.stack([x / width, y / height], axis=2)

    @pytest.mark.parametrize(
        "roi",
        [
            Roi(160, 120, 150, 0),
            Roi(160, 120, 150, 0.5),
            Roi(150, 110, 100, -2.5),
            Roi(20, 30, 200, 1.0),
            Roi(300, 220, 180, 3.0),
            Roi(160, 120, 600, 0.3),  # reduced first
            Roi(170, 100, 900, 0.3),
        ],
    )
    def test_shows_the_square(self, roi):
        image = smooth_image()
        tensor = crop(image, roi)
        assert tensor.shape == (1, 256, 256, 3) and tensor.dtype == np.float32
        difference = np.abs(tensor[0, :, :, :2] - self.colours(roi, image))
        assert np.median(difference) < 0.004  # a colour step, or one pixel
        assert difference.max() < 0.02

    @pytest.mark.parametrize(
        "roi", [Roi(-900, 0, 100, 0), Roi(0, 0, 0, 0), Roi(np.nan, 0, 9, 0), Roi(0, 0, 1e9, 0)]
    )
    def test_nothing_to_see(self, roi):
        assert crop(smooth_image(), roi) is None


def raw_person(x, y, anchor, centers, size=20.0):
    """Network output whose face box lies around x, y; the hips 50 below it."""
    points = np.array([[x, y], [0, 0], [x, y + 50], [x, y - 20], [x, y], [x, y - 20]])
    raw = points - centers[anchor]
    raw[1] = size
    return raw.ravel()


class TestDecode:
    def setup_method(self):
        self.centers = blazepose.anchors()
        self.raw = np.zeros((2254, 12), np.float32)
        self.logits = np.full(2254, -9.0, np.float32)

    def put(self, anchor, x, y, logit):
        self.raw[anchor] = raw_person(x, y, anchor, self.centers)
        self.logits[anchor] = logit

    def test_nobody(self):
        assert decode(self.raw, self.logits, self.centers) == []

    def test_one_person(self):
        self.put(700, 80.0, 60.0, 2.0)
        ((score, points),) = decode(self.raw, self.logits, self.centers)
        assert score == pytest.approx(1 / (1 + np.exp(-2)))
        np.testing.assert_allclose(points[:2], [[70, 50], [90, 70]], atol=1e-4)
        np.testing.assert_allclose(points[2:4], [[80, 110], [80, 40]], atol=1e-4)

    def test_overlapping_boxes_are_averaged_by_score(self):
        self.put(700, 80.0, 60.0, 3.0)
        self.put(701, 84.0, 60.0, 1.0)
        self.put(1200, 180.0, 150.0, 2.0)
        people = decode(self.raw, self.logits, self.centers)
        scores = 1 / (1 + np.exp([-3.0, -1.0]))
        assert [p[0] for p in people] == pytest.approx([scores[0], 1 / (1 + np.exp(-2))])
        assert people[0][1][2, 0] == pytest.approx(
            np.dot(scores, [80, 84]) / scores.sum(), abs=1e-4
        )
        assert people[1][1][2, 0] == pytest.approx(180, abs=1e-4)

    def test_unsure_ones_are_dropped(self):
        self.put(700, 80.0, 60.0, -0.1)
        assert decode(self.raw, self.logits, self.centers) == []


class TestRefine:
    def slow(self, landmarks, heatmaps):
        """One landmark and one heatmap cell at a time."""
        points, confidence = [], []
        for index, (x, y, _, visibility, presence) in enumerate(landmarks.astype(float)):
            column, row = int(np.floor(x / 4)), int(np.floor(y / 4))
            if not (0 <= column < 64 and 0 <= row < 64):
                points.append((x, y))
                confidence.append(1 / (1 + np.exp(-min(visibility, presence))))
                continue
            cells = [
                (c, r, 1 / (1 + np.exp(-float(heatmaps[r, c, index]))))
                for r in range(max(0, row - 3), min(64, row + 4))
                for c in range(max(0, column - 3), min(64, column + 4))
            ]
            peak, total = max(w for *_, w in cells), sum(w for *_, w in cells)
            mean = sum(c * w for c, _, w in cells) / total, sum(r * w for _, r, w in cells) / total
            points.append((mean[0] * 4, mean[1] * 4) if peak >= 0.5 else (x, y))
            confidence.append(peak)
        return np.array(points), np.array(confidence)

    def test_agrees_with_the_slow_twin(self):
        landmarks = RNG.normal(128, 90, (39, 5)).astype(np.float32)
        landmarks[:, 3:] = RNG.normal(0, 3, (39, 2))
        landmarks[:4, :2] = [[0, 0], [255.9, 255.9], [256, 10], [-0.1, 10]]
        heatmaps = RNG.normal(-3, 1.5, (64, 64, 39)).astype(np.float32)
        points, confidence = refine(landmarks, heatmaps)
        slow_points, slow_confidence = self.slow(landmarks, heatmaps)
        np.testing.assert_allclose(points, slow_points, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(confidence, slow_confidence, rtol=1e-5)

    def test_moves_to_the_peak(self):
        landmarks = np.tile(np.array([100, 60, 0, 5, 5], np.float32), (39, 1))
        heatmaps = np.full((64, 64, 39), -40.0, np.float32)
        heatmaps[16, 27] = 4.0
        points, confidence = refine(landmarks, heatmaps)
        np.testing.assert_allclose(points, np.tile([108, 64], (39, 1)), atol=1e-4)
        np.testing.assert_allclose(confidence, 1 / (1 + np.exp(-4)), atol=1e-6)

    def test_flat_heatmap_leaves_the_landmark(self):
        landmarks = np.tile(np.array([100, 60, 0, 5, 5], np.float32), (39, 1))
        points, confidence = refine(landmarks, np.full((64, 64, 39), -5.0, np.float32))
        np.testing.assert_allclose(points, landmarks[:, :2])
        assert (confidence < 0.01).all()


class FakeDetector(blazepose.Detector):
    """Networks replaced: people are found and seen where `people` (x, y of the hips) says."""

    def __init__(self, max_people=1):
        self.max_people = max_people
        self.people: list[tuple[float, float]] = []
        self.searches = 0
        self.reset()

    def _search(self, image, parts):
        self.searches += 1
        return [Roi(x, y, 100.0, 0.0) for x, y in self.people]

    def _pose(self, image, roi):
        near = [p for p in self.people if np.hypot(p[0] - roi.x, p[1] - roi.y) < 30]
        if not near:
            return None
        keypoints = np.full((33, 2), near[0], np.float32)
        keypoints[::2] += 20
        box = np.concatenate([keypoints.min(0), keypoints.max(0)])
        detection = blazepose.Detection(keypoints, np.ones(33, np.float32), box, 0.9)
        return blazepose._Found(detection, Roi(*near[0], 100.0, 0.0))


class TestTracking:
    image = np.zeros((240, 320, 3), np.uint8)

    def test_follows_without_searching(self):
        detector = FakeDetector()
        for step in range(9):
            detector.people = [(100 + 10 * step, 100)]
            (found,) = detector(self.image, track=True)
            assert found.person == 0 and found.keypoints[1, 0] == 100 + 10 * step
        assert detector.searches == 1

    def test_lost_person_is_searched_for_at_once_and_keeps_the_number(self):
        detector = FakeDetector()
        detector.people = [(100, 100)]
        detector(self.image, track=True)
        detector.people = [(140, 100)]  # further than the crop follows
        assert [p.person for p in detector(self.image, track=True)] == [0]
        detector.people = [(300, 200)]
        assert [p.person for p in detector(self.image, track=True)] == [1]

    def test_nobody(self):
        assert FakeDetector()(self.image, track=True) == []

    def test_people_keep_their_numbers(self):
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

    def test_one_pose_is_reported_once(self):
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


class TestBadInput:
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
        with pytest.raises(ValueError, match="give uint8 RGB"):
            FakeDetector()(image)

    def test_model_and_number_of_people(self):
        with pytest.raises(ValueError, match="'full' and 'heavy'"):
            blazepose.Detector("huge")
        with pytest.raises(ValueError, match="max_people is 0"):
            blazepose.Detector(max_people=0)


class TestFallback:
    @pytest.fixture(autouse=True)
    def no_heavy(self, monkeypatch, tmp_path):
        def asset(name):
            if "heavy" in name:
                raise FileNotFoundError("pose_landmark_heavy.tflite could not be fetched.")
            return tmp_path / name

        monkeypatch.setattr(blazepose, "asset", asset)

    def test_is_spoken(self):
        with pytest.warns(UserWarning, match="full is used in place of heavy"):
            model, path = blazepose._landmark_file("heavy", fallback=True)
        assert model == "full" and path.name == "pose_landmark_full.tflite"

    def test_is_not_made_unless_allowed(self):
        with pytest.raises(FileNotFoundError, match="could not be fetched"):
            blazepose._landmark_file("heavy", fallback=False)

    def test_full_needs_none(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert blazepose._landmark_file("full", fallback=True)[0] == "full"


@pytest.fixture(scope="module")
def detector():
    return blazepose.Detector("full", threads=2)


@pytest.fixture(scope="module")
def man():
    """Somebody who stands facing us on a wall whose top lies at about y = 460."""
    return next(media.frames(assets.cache_dir() / "demo.mp4")).image


@pytest.mark.skipif(
    not cached("pose_detection.tflite", "pose_landmark_full.tflite", "demo.mp4"),
    reason="the models and the sample video are not in the cache",
)
class TestRealModel:
    LEFT, RIGHT = [11, 13, 15, 23, 25, 27], [12, 14, 16, 24, 26, 28]
    ANKLES = [27, 28]

    def test_finds_the_man(self, detector, man):
        (found,) = detector(man)
        assert found.keypoints.shape == (33, 2) and found.keypoints.dtype == np.float32
        assert found.skeleton == "blazepose_33" and found.score > 0.6
        assert (found.keypoints[self.LEFT, 0] > found.keypoints[self.RIGHT, 0]).all()
        np.testing.assert_allclose(found.keypoints[self.ANKLES, 1], 445, atol=25)
        assert 80 < found.keypoints[0, 1] < 125  # nose
        assert ((found.confidence >= 0) & (found.confidence <= 1)).all()

    def test_mirrored_image_gives_the_mirrored_person(self, detector, man):
        (found,) = detector(man)
        (mirrored,) = detector(np.ascontiguousarray(man[:, ::-1]))
        difference = mirrored.keypoints[self.RIGHT] - found.keypoints[self.LEFT] * [-1, 1]
        np.testing.assert_allclose(difference - [man.shape[1], 0], 0, atol=15)

    def test_scaled_image_gives_scaled_keypoints(self, detector, man):
        (found,) = detector(man)
        half = np.asarray(Image.fromarray(man).reduce(2))
        (small,) = detector(half)
        difference = small.keypoints[11:] * 2 - found.keypoints[11:]
        assert np.median(np.abs(difference)) < 4

    def test_nobody_in_noise(self, detector):
        assert detector(RNG.integers(0, 255, (120, 160, 3), np.uint8)) == []

    @pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (500, 3, 3)])
    def test_odd_sizes(self, detector, shape):
        assert detector(np.zeros(shape, np.uint8)) == []
