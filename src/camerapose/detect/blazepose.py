"""BlazePose: 33 landmarks of a person, from the original .tflite files by LiteRT.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020.  Two networks: one
finds people (as a face box, the middle of the hips and a point on the circle around the whole
body), the other finds landmarks in an upright square crop of one person.  Strides, windows and
margins are those that MediaPipe's pose graph runs these files with.  Otherwise than there, people
are also searched for in parts of the image (small ones are found), a crop that was found is
corrected once by its own landmarks, a pose whose heatmaps are flat is dropped, and nothing is
smoothed over time: what comes back is what was seen in this image.
"""

import os
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from camerapose.io.assets import asset
from camerapose.track.tracking import overlap

SKELETON = "blazepose_33"
N_JOINTS = 33
HIP_CENTER, CIRCLE = 33, 34  # auxiliary landmarks, from which the next frame's crop is made
N_LANDMARKS = 39

DETECTOR_SIZE = 224
STRIDES = ((8, 2), (16, 2), (32, 6))  # a stride and the anchors in each of its cells
DETECTOR_SCORE = 0.5
SAME_PERSON = 0.3  # overlap (IoU) from which two face boxes are one person's

CROP_SIZE = 256
CROP_MARGIN = 1.25
POSE_SCORE = 0.5  # of the network's flag; below it the crop holds nobody
BODY = slice(11, 33)  # landmarks below the head
BODY_SCORE = 0.4  # their mean confidence; below it nobody is there, whatever the flag says
SAME_CROP = 0.5  # overlap from which two new crops show one person
SAME_BODY = 0.6  # overlap from which two poses are one person's
SAME_TRACK = 0.3  # overlap of crops from which somebody found again is who was just lost
SMALLEST_TILE = 112  # pixels
SEARCH_EVERY = 10  # frames between searches for more people, and for small ones

HEATMAP_WINDOW = 7
HEATMAP_SCORE = 0.5  # a flatter heatmap does not move the landmark


class Detection(NamedTuple):
    """One person.  Keypoints and box in pixels, see `camerapose.detect`."""

    keypoints: Float[np.ndarray, "joints 2"]
    confidence: Float[np.ndarray, " joints"]
    box: Float[np.ndarray, "4"]
    score: float
    person: int = 0
    skeleton: str = SKELETON


class Roi(NamedTuple):
    """A square in the image, turned by `angle` (radians, clockwise on the screen): one crop."""

    x: float
    y: float
    size: float
    angle: float

    @classmethod
    def from_alignment(cls, center: Float[Any, "2"], on_circle: Float[Any, "2"]) -> "Roi":
        """The crop of somebody with hips at `center` and whose circle passes `on_circle`.

        The second is above the head: what points from one to the other points up in the crop.
        """
        dx, dy = float(on_circle[0] - center[0]), float(on_circle[1] - center[1])
        size = 2 * CROP_MARGIN * float(np.hypot(dx, dy))
        return cls(float(center[0]), float(center[1]), size, float(np.arctan2(dx, -dy)))

    def to_image(self) -> Float[np.ndarray, "2 3"]:
        """Affine map from crop pixels to image pixels."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]]) * (self.size / CROP_SIZE)
        shift = np.array([self.x, self.y]) - linear @ np.full(2, CROP_SIZE / 2)
        return np.concatenate([linear, shift[:, None]], axis=1)

    def bounds(self) -> Float[np.ndarray, "4"]:
        """x0, y0, x1, y1 of the upright box around the square, in image pixels."""
        half = self.size / 2 * (abs(np.cos(self.angle)) + abs(np.sin(self.angle)))
        return np.array([self.x - half, self.y - half, self.x + half, self.y + half])


class _Found(NamedTuple):
    detection: Detection
    roi: Roi  # the crop that these landmarks ask for, where the next frame is looked at


class Detector:
    """Finds people and their 33 landmarks.

    Args:
        model: "full" (fast, for video) or "heavy" (the most accurate).
        max_people: how many to report; the most prominent (crop's area times score) come first.
        threads: of LiteRT; None takes the processor's cores, at most 8.
        fallback: when the heavy model cannot be had, say so (a warning) and use full.

    Raises:
        ValueError: an unknown model, or max_people below 1.
        FileNotFoundError: a model file cannot be had (see `camerapose.io.assets`).
    """

    skeleton = SKELETON

    def __init__(
        self,
        model: str = "full",
        *,
        max_people: int = 1,
        threads: int | None = None,
        fallback: bool = False,
    ):
        if model not in ("full", "heavy"):
            raise ValueError(f"BlazePose has the models 'full' and 'heavy', not {model!r}.")
        if max_people < 1:
            raise ValueError(f"max_people is {max_people}; it must be 1 or more.")
        threads = threads or min(8, os.cpu_count() or 1)
        self.model, landmark_file = _landmark_file(model, fallback)
        self.max_people = max_people
        self._find = _network(asset("pose_detection.tflite"), threads)
        self._landmarks = _network(landmark_file, threads)
        self._anchors = anchors()
        self.reset()

    def reset(self) -> None:
        """Forget the tracked people: the next image starts another video."""
        self._before: list[_Found] = []
        self._next_person = 0
        self._frame = 0

    def __call__(self, image: np.ndarray, *, track: bool = False) -> list[Detection]:
        """People in one image, the most prominent one first.

        With `track` each person's crop follows from the frame before.  People are searched for when
        somebody is lost or nobody tracked, and now and then while fewer than `max_people` are.
        Nobody in sight gives an empty list.
        """
        _check_image(image)
        if not track:
            self.reset()
        people: list[_Found] = []
        for person, roi in self._candidates(image, people):
            found = self._pose(image, roi)
            if person is None and found is not None and found.detection.score > BODY_SCORE / 2:
                # The landmarks tell better than the person detector where the crop should be.
                again = self._pose(image, found.roi)
                found = max(found, again or found, key=lambda f: f.detection.score)
            if found is None or found.detection.score < BODY_SCORE:
                continue
            if any(overlap(found.detection.box, p.detection.box) > SAME_BODY for p in people):
                continue
            person = self._number(found, people) if person is None else person
            people.append(_Found(found.detection._replace(person=person), found.roi))
            if len(people) == self.max_people:
                break
        self._before = people
        self._frame += 1
        return [found.detection for found in people]

    def _candidates(
        self, image: np.ndarray, people: list["_Found"]
    ) -> Iterator[tuple[int | None, Roi]]:
        """Tracked people's numbers and crops, then, if still asked for, newly found crops.

        `people` are those found so far in this image.
        """
        yield from [(found.detection.person, found.roi) for found in self._before]
        now = self._frame % SEARCH_EVERY == 0
        height, width = image.shape[:2]
        short = min(width, height)
        levels = []
        if now or not people or len(people) < len(self._before):
            levels.append([(0, 0, width, height)])
            if short >= SMALLEST_TILE:
                levels[-1] += tiles(width, height, short)
        if now and short >= 2 * SMALLEST_TILE:
            levels.append(tiles(width, height, short // 2))
        for parts in levels:
            for roi in self._search(image, parts):
                if all(overlap(roi.bounds(), p.roi.bounds()) <= SAME_CROP for p in people):
                    yield None, roi

    def _number(self, found: "_Found", people: list["_Found"]) -> int:
        """Who was there a frame before and was lost, else somebody new."""
        taken = {p.detection.person for p in people}
        for old in self._before:
            near = overlap(found.roi.bounds(), old.roi.bounds()) > SAME_TRACK
            if near and old.detection.person not in taken:
                return old.detection.person
        self._next_person += 1
        return self._next_person - 1

    def _search(self, image: np.ndarray, parts: list[tuple[int, int, int, int]]) -> list[Roi]:
        """Crops of people in these parts of the image, each once, the most prominent first."""
        found = []
        for x0, y0, x1, y1 in dict.fromkeys(parts):
            tensor, scale, offset = letterbox(np.ascontiguousarray(image[y0:y1, x0:x1]))
            raw, logits = self._find(tensor)
            for score, points in decode(raw[0], logits[0, :, 0], self._anchors):
                points = (points - offset) / scale + (x0, y0)
                found.append((score, Roi.from_alignment(points[2], points[3])))
        people: list[tuple[float, Roi]] = []
        for score, roi in sorted(found, key=lambda f: f[0], reverse=True):
            if all(overlap(roi.bounds(), other.bounds()) <= SAME_CROP for _, other in people):
                people.append((score, roi))
        people.sort(key=lambda f: f[0] * f[1].size ** 2, reverse=True)
        return [roi for _, roi in people]

    def _pose(self, image: np.ndarray, roi: Roi) -> "_Found | None":
        """Landmarks in one crop and the crop for the next frame; None where nobody is."""
        tensor = crop(image, roi)
        if tensor is None:
            return None
        landmarks, flag, _, heatmaps, _ = self._landmarks(tensor)
        if flag[0, 0] < POSE_SCORE:
            return None
        points, confidence = refine(landmarks.reshape(N_LANDMARKS, 5), heatmaps[0])
        matrix = roi.to_image()
        points = points @ matrix[:, :2].T + matrix[:, 2]
        keypoints, confidence = points[:N_JOINTS].astype(np.float32), confidence[:N_JOINTS]
        box = np.concatenate([keypoints.min(0), keypoints.max(0)])
        score = float(confidence[BODY].mean())
        detection = Detection(keypoints, confidence.astype(np.float32), box, score)
        return _Found(detection, Roi.from_alignment(points[HIP_CENTER], points[CIRCLE]))


def tiles(width: int, height: int, side: int) -> list[tuple[int, int, int, int]]:
    """Squares x0 y0 x1 y1 that cover the image and overlap by half or more.

    At the person detector's resolution somebody who fills a third of the picture is hardly seen.
    """
    corners = [
        np.linspace(0, n - side, 1 + -(-2 * (n - side) // side)).astype(int)
        for n in (width, height)
    ]
    return [(int(x), int(y), int(x) + side, int(y) + side) for y in corners[1] for x in corners[0]]


def letterbox(
    image: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "1 s s 3"], float, Float[np.ndarray, "2"]]:
    """The person detector's input: the whole image in the middle of a black square, values -1 to 1.

    Returns also its pixels per image pixel, and where the image's top left corner lies in it.
    """
    height, width = image.shape[:2]
    scale = DETECTOR_SIZE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas = np.zeros((1, DETECTOR_SIZE, DETECTOR_SIZE, 3), np.float32)
    left, top = (DETECTOR_SIZE - size[0]) // 2, (DETECTOR_SIZE - size[1]) // 2
    canvas[0, top : top + size[1], left : left + size[0]] = np.asarray(small)
    return canvas / 127.5 - 1, scale, np.array([left, top], np.float64)


def anchors() -> Float[np.ndarray, "n 2"]:
    """Centres (x, y) of the person detector's anchors in its pixels, in the order of its outputs.

    Strides of the same size share a grid; a cell's anchors stand together.
    """
    grids = []
    for stride, per_cell in STRIDES:
        centers = (np.arange(DETECTOR_SIZE // stride, dtype=np.float32) + 0.5) * stride
        y, x = np.meshgrid(centers, centers, indexing="ij")
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(grids)


def decode(
    raw: Float[np.ndarray, "n 12"],
    logits: Float[np.ndarray, " n"],
    centers: Float[np.ndarray, "n 2"],
) -> list[tuple[float, Float[np.ndarray, "6 2"]]]:
    """The person detector's outputs as people: a score and six points in its pixels.

    Points: the face box's two corners, middle of the hips, a point on the body's circle, and the
    same two for the upper body.  Boxes that overlap are one person, averaged with their scores as
    weights.
    """
    scores = _sigmoid(logits)
    keep = np.flatnonzero(scores >= DETECTOR_SCORE)
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
        same = np.array(
            [overlap(points[0, :2].ravel(), p[:2].ravel()) > SAME_PERSON for p in points]
        )
        same[0] = True  # also where the box has no area
        mean = np.average(points[same], axis=0, weights=scores[same])
        people.append((float(scores[0]), mean))
        scores, points = scores[~same], points[~same]
    return people


def crop(image: UInt8[np.ndarray, "h w 3"], roi: Roi) -> Float[np.ndarray, "1 s s 3"] | None:
    """The landmark network's input, values 0 to 1; None where the crop misses the image.

    Beyond the image its border goes on.  A crop much larger than the input is averaged down first.
    """
    height, width = image.shape[:2]
    if not (np.isfinite(roi).all() and 1 < roi.size < 20 * max(width, height)):
        return None
    bounds = np.stack([np.floor(roi.bounds()[:2]), np.ceil(roi.bounds()[2:])]).astype(int)
    (x0, y0), (x1, y1) = np.clip(bounds, 0, (width, height))
    if x1 <= x0 or y1 <= y0:
        return None
    factor = max(1, int(roi.size / CROP_SIZE))
    patch = np.asarray(Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1])).reduce(factor))
    before = -(-(np.array([x0, y0]) - bounds[0]) // factor)
    after = -(-(bounds[1] - (x1, y1)) // factor)
    if before.any() or after.any():
        border = ((before[1], after[1]), (before[0], after[0]), (0, 0))
        patch = np.pad(patch, border, mode="edge")
    matrix = roi.to_image()
    matrix[:, 2] -= (x0, y0)
    matrix /= factor
    matrix[:, 2] += before
    upright = Image.fromarray(patch).transform(
        (CROP_SIZE, CROP_SIZE), Image.Transform.AFFINE, matrix.ravel(), Image.Resampling.BILINEAR
    )
    return np.asarray(upright, np.float32)[None] / 255


def refine(
    landmarks: Float[np.ndarray, "n 5"], heatmaps: Float[np.ndarray, "s s n"]
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Landmarks in crop pixels, moved to their heatmap's mean close by, and their confidence.

    Args:
        landmarks: x, y in crop pixels, z, and the logits of visibility and presence.
        heatmaps: logits, one channel a landmark.
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
    weights = np.where(valid, _sigmoid(logits), 0)
    peak = weights.max((1, 2))
    moves = inside & (peak >= HEATMAP_SCORE)
    total = weights.sum((1, 2))[moves]
    mean = np.stack(
        [(weights * columns).sum((1, 2))[moves], (weights * rows).sum((1, 2))[moves]], 1
    )
    points[moves] = mean / total[:, None] * (CROP_SIZE / size)
    seen = _sigmoid(landmarks[:, 3:]).min(1)
    return points, np.where(inside, peak, seen)


def _landmark_file(model: str, fallback: bool):
    try:
        return model, asset(f"pose_landmark_{model}.tflite")
    except FileNotFoundError as error:
        if model != "heavy" or not fallback:
            raise
        warnings.warn(f"BlazePose full is used in place of heavy. {error}", stacklevel=3)
        return "full", asset("pose_landmark_full.tflite")


def _network(path, threads: int):
    """The .tflite file as a function from its input to its outputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    exits = [output["index"] for output in interpreter.get_output_details()]

    def run(tensor: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(entry, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in exits]

    return run


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))


def _check_image(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"The detector got an image of {image.dtype} with shape {image.shape}; "
            "give uint8 RGB with shape (height, width, 3)."
        )
