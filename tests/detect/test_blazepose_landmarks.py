"""BlazePose's landmark refinement by heatmaps."""

import numpy as np

from camerapose.detect.blazepose.landmarks import refine

RNG = np.random.default_rng(0)


class TestRefine:
    def reference(self, landmarks, heatmaps):
        """Compute one landmark and one heatmap cell at a time."""
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

    def test_equals_the_reference(self):
        landmarks = RNG.normal(128, 90, (39, 5)).astype(np.float32)
        landmarks[:, 3:] = RNG.normal(0, 3, (39, 2))
        landmarks[:4, :2] = [[0, 0], [255.9, 255.9], [256, 10], [-0.1, 10]]
        heatmaps = RNG.normal(-3, 1.5, (64, 64, 39)).astype(np.float32)
        points, confidence = refine(landmarks, heatmaps)
        expected_points, expected_confidence = self.reference(landmarks, heatmaps)
        np.testing.assert_allclose(points, expected_points, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(confidence, expected_confidence, rtol=1e-5)

    def test_landmark_moves_to_the_peak(self):
        landmarks = np.tile(np.array([100, 60, 0, 5, 5], np.float32), (39, 1))
        heatmaps = np.full((64, 64, 39), -40.0, np.float32)
        heatmaps[16, 27] = 4.0
        points, confidence = refine(landmarks, heatmaps)
        np.testing.assert_allclose(points, np.tile([108, 64], (39, 1)), atol=1e-4)
        np.testing.assert_allclose(confidence, 1 / (1 + np.exp(-4)), atol=1e-6)

    def test_flat_heatmap_keeps_the_landmark(self):
        landmarks = np.tile(np.array([100, 60, 0, 5, 5], np.float32), (39, 1))
        points, confidence = refine(landmarks, np.full((64, 64, 39), -5.0, np.float32))
        np.testing.assert_allclose(points, landmarks[:, :2])
        assert (confidence < 0.01).all()
