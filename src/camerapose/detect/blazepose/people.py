"""BlazePose's person detection: regions of people in an image."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from camerapose.detect.blazepose.crop import Roi
from camerapose.detect.blazepose.networks import load_network, person_file, sigmoid
from camerapose.track.boxes import iou

#: Side of the network's input, pixels.
INPUT_SIZE = 224
#: Strides, each with the number of anchors per cell.
STRIDES = ((8, 2), (16, 2), (32, 6))
MIN_SCORE = 0.5
#: Overlap (IoU) above which two face boxes belong to the same person.
SAME_FACE = 0.3
#: Overlap above which two regions show the same person.
SAME_REGION = 0.5

#: x0, y0, x1, y1 of a part of an image, pixels.
Part = tuple[int, int, int, int]


class PersonDetector:
    """Detect people in parts of an image."""

    def __init__(self, threads: int):
        self._network = load_network(person_file(), threads)
        self._anchors = anchors()

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], parts: Iterable[Part]) -> list[Roi]:
        """Return one region per person, the most prominent (area times score) first."""
        candidates = []
        for x0, y0, x1, y1 in dict.fromkeys(parts):
            tensor, scale, offset = letterbox(np.ascontiguousarray(image[y0:y1, x0:x1]))
            raw, logits = self._network(tensor)
            for score, points in decode(raw[0], logits[0, :, 0], self._anchors):
                points = (points - offset) / scale + (x0, y0)
                candidates.append((score, Roi.from_alignment(points[2], points[3])))
        people: list[tuple[float, Roi]] = []
        for score, roi in sorted(candidates, key=lambda c: c[0], reverse=True):
            if all(iou(roi.bounds(), other.bounds()) <= SAME_REGION for _, other in people):
                people.append((score, roi))
        people.sort(key=lambda p: p[0] * p[1].size ** 2, reverse=True)
        return [roi for _, roi in people]


def tiles(width: int, height: int, side: int) -> list[Part]:
    """Return squares that cover the image and overlap by half or more.

    At the network's resolution a person who fills less than a third of the image is hardly
    visible.
    """
    corners = [
        np.linspace(0, n - side, 1 + -(-2 * (n - side) // side)).astype(int)
        for n in (width, height)
    ]
    return [(int(x), int(y), int(x) + side, int(y) + side) for y in corners[1] for x in corners[0]]


def letterbox(
    image: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "1 s s 3"], float, Float[np.ndarray, "2"]]:
    """Return the network's input: the image centred in a black square, values -1 to 1.

    Returns:
        The tensor, its pixels per image pixel, and the position of the image's top left corner.
    """
    height, width = image.shape[:2]
    scale = INPUT_SIZE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas = np.zeros((1, INPUT_SIZE, INPUT_SIZE, 3), np.float32)
    left, top = (INPUT_SIZE - size[0]) // 2, (INPUT_SIZE - size[1]) // 2
    canvas[0, top : top + size[1], left : left + size[0]] = np.asarray(small)
    return canvas / 127.5 - 1, scale, np.array([left, top], np.float64)


def anchors() -> Float[np.ndarray, "n 2"]:
    """Return the anchors' centres (x, y) in pixels of the network, in the order of its outputs.

    Equal strides share a grid; the anchors of a cell are adjacent.
    """
    grids = []
    for stride, per_cell in STRIDES:
        centers = (np.arange(INPUT_SIZE // stride, dtype=np.float32) + 0.5) * stride
        y, x = np.meshgrid(centers, centers, indexing="ij")
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(grids)


def decode(
    raw: Float[np.ndarray, "n 12"],
    logits: Float[np.ndarray, " n"],
    centers: Float[np.ndarray, "n 2"],
) -> list[tuple[float, Float[np.ndarray, "6 2"]]]:
    """Decode the network's outputs to people: a score and six points in its pixels.

    The points are two corners of the face box, the centre of the hips, a point on the circle
    around the body, and the latter two of the upper body. Overlapping boxes are one person: the
    mean weighted by the scores.
    """
    scores = sigmoid(logits)
    keep = np.flatnonzero(scores >= MIN_SCORE)
    keep = keep[np.argsort(-scores[keep], kind="stable")]
    scores, values = scores[keep], raw[keep].reshape(-1, 6, 2)
    center, half = values[:, 0] + centers[keep], values[:, 1] / 2
    points = np.concatenate(
        [
            (center - half)[:, None],
            (center + half)[:, None],
            values[:, 2:] + centers[keep][:, None],
        ],
        1,
    )
    people = []
    while len(scores):
        same = np.array([iou(points[0, :2].ravel(), p[:2].ravel()) > SAME_FACE for p in points])
        same[0] = True  # also if the box has no area
        mean = np.average(points[same], axis=0, weights=scores[same])
        people.append((float(scores[0]), mean))
        scores, points = scores[~same], points[~same]
    return people
