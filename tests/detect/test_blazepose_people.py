"""BlazePose's person detection: input, anchors, decoding."""

import numpy as np
import pytest

from camerapose.detect.blazepose.people import anchors, decode, letterbox, tiles


class TestAnchors:
    def test_number_equals_the_networks_outputs(self):
        assert anchors().shape == (2254, 2)

    def test_order_is_row_by_row_from_fine_to_coarse(self):
        expected = [
            ((column + 0.5) * stride, (row + 0.5) * stride)
            for stride, per_cell in [(8, 2), (16, 2), (32, 6)]
            for row in range(224 // stride)
            for column in range(224 // stride)
            for _ in range(per_cell)
        ]
        np.testing.assert_allclose(anchors(), expected)


class TestLetterbox:
    @pytest.mark.parametrize("size", [(320, 240), (240, 320), (100, 100), (1000, 3)])
    def test_image_is_at_the_returned_position(self, size):
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
    def test_tiles_cover_the_image_and_overlap(self, size, part):
        side = min(size) // part
        parts = tiles(*size, side)
        for axis in (0, 1):
            starts = sorted({t[axis] for t in parts})
            assert starts[0] == 0 and starts[-1] == size[axis] - side
            assert all(b - a <= side / 2 + 1 for a, b in zip(starts, starts[1:], strict=False))
        assert all(t[2] - t[0] == t[3] - t[1] == side for t in parts)
        assert len(set(parts)) == len(parts)


def raw_person(x, y, anchor, centers, size=20.0):
    """Return the network output for a face box around x, y and hips 50 pixels below."""
    points = np.array([[x, y], [0, 0], [x, y + 50], [x, y - 20], [x, y], [x, y - 20]])
    raw = points - centers[anchor]
    raw[1] = size
    return raw.ravel()


class TestDecode:
    def setup_method(self):
        self.centers = anchors()
        self.raw = np.zeros((2254, 12), np.float32)
        self.logits = np.full(2254, -9.0, np.float32)

    def put(self, anchor, x, y, logit):
        self.raw[anchor] = raw_person(x, y, anchor, self.centers)
        self.logits[anchor] = logit

    def test_no_person(self):
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

    def test_low_scores_are_rejected(self):
        self.put(700, 80.0, 60.0, -0.1)
        assert decode(self.raw, self.logits, self.centers) == []
