"""BlazePose's landmark detection in a crop of one person."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from camerapose.detect._base import Detection, keypoint_box
from camerapose.detect.blazepose.crop import CROP_SIZE, Roi, crop
from camerapose.detect.blazepose.networks import load_network, sigmoid

#: Outputs of the network that are used: landmarks, presence, heatmaps. Computing the others, above
#: all the segmentation, takes a third (full) or a tenth (heavy) of the time.
OUTPUTS = (0, 1, 3)
N_JOINTS = 33
#: Auxiliary landmarks that determine the crop of the next frame.
HIP_CENTER, CIRCLE = 33, 34
N_LANDMARKS = 39
#: Landmarks below the head.
BODY = slice(11, 33)
#: Minimum of the network's flag for the presence of a person.
MIN_PRESENCE = 0.5
#: Cells of the heatmap around a landmark that refine it, and their minimum peak.
HEATMAP_WINDOW, MIN_PEAK = 7, 0.5


class Pose(NamedTuple):
    """A detection and the region for the next frame, both from the same landmarks."""

    detection: Detection
    roi: Roi


class LandmarkDetector:
    """Detect the landmarks of one person.

    Args:
        path: .tflite file.
        threads: of LiteRT.
    """

    def __init__(self, path: Path, threads: int):
        self._network = load_network(path, threads, OUTPUTS)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], roi: Roi) -> Pose | None:
        """Return the pose in a region of the image; None if it shows no person."""
        tensor = crop(image, roi)
        if tensor is None:
            return None
        landmarks, presence, heatmaps = self._network(tensor)
        if presence[0, 0] < MIN_PRESENCE:
            return None
        points, confidence = refine(landmarks.reshape(N_LANDMARKS, 5), heatmaps[0])
        matrix = roi.to_image()
        points = points @ matrix[:, :2].T + matrix[:, 2]
        keypoints, confidence = points[:N_JOINTS].astype(np.float32), confidence[:N_JOINTS]
        score = float(confidence[BODY].mean())
        detection = Detection(
            keypoints, confidence.astype(np.float32), keypoint_box(keypoints), score
        )
        return Pose(detection, Roi.from_alignment(points[HIP_CENTER], points[CIRCLE]))


def refine(
    landmarks: Float[np.ndarray, "n 5"], heatmaps: Float[np.ndarray, "s s n"]
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Move landmarks to the mean of their heatmap nearby; return them with their confidence.

    A landmark whose heatmap is flat stays in place.

    Args:
        landmarks: x, y in crop pixels, z, and the logits of visibility and presence.
        heatmaps: logits, one channel per landmark.

    Returns:
        Points in crop pixels, and the maximum of each heatmap near its landmark; for landmarks
        outside the crop, the lower one of visibility and presence.
    """
    size, n = heatmaps.shape[0], len(landmarks)
    points = landmarks[:, :2].astype(np.float64)
    half = HEATMAP_WINDOW // 2
    cell = np.floor(points * size / CROP_SIZE).astype(int)
    inside = ((cell >= 0) & (cell < size)).all(1)
    around = np.arange(-half, half + 1)
    columns = cell[:, 0, None, None] + around[None, None, :]
    rows = cell[:, 1, None, None] + around[None, :, None]
    valid = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    logits = heatmaps[
        rows.clip(0, size - 1), columns.clip(0, size - 1), np.arange(n)[:, None, None]
    ]
    weights = np.where(valid, sigmoid(logits), 0)
    peak = weights.max((1, 2))
    moves = inside & (peak >= MIN_PEAK)
    total = weights.sum((1, 2))[moves]
    mean = np.stack(
        [(weights * columns).sum((1, 2))[moves], (weights * rows).sum((1, 2))[moves]], 1
    )
    points[moves] = mean / total[:, None] * (CROP_SIZE / size)
    visible = sigmoid(landmarks[:, 3:]).min(1)
    return points, np.where(inside, peak, visible)
