"""Inputs of temporal models: lifted poses of one person in consecutive frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from camerapose.core.viewing import view_rotation

#: Frames that determine one pose.
LENGTH = 27
#: Frames after the one that is estimated, by mode.
LOOKAHEAD = {"centred": 13, "causal": 0}
#: Time steps at which the input is clipped, seconds.
MIN_STEP, MAX_STEP = 1 / 240, 1.0
#: Smallest spread of a person in the image, normalised units.
_MIN_SPREAD = 1e-3


@dataclass(frozen=True)
class Frames:
    """Lifted poses of n people in t consecutive frames.

    Attributes:
        facing: root-relative, metres, in the axes of a camera that faces `place`.
        pose2d: normalised image coordinates.
        confidence: 0 (missing) to 1.
        focal, center: estimated camera, normalised units.
        time: seconds.
        present: False in frames in which the person was not detected; their values repeat those
            of the nearest frame.
        std: standard deviations of the lifter, metres, if it predicts them.
    """

    facing: Float[np.ndarray, "n t joints 3"]
    pose2d: Float[np.ndarray, "n t joints 2"]
    confidence: Float[np.ndarray, "n t joints"]
    focal: Float[np.ndarray, "n t 2"]
    center: Float[np.ndarray, "n t 2"]
    time: Float[np.ndarray, "n t"]
    present: Bool[np.ndarray, "n t"]
    std: Float[np.ndarray, "n t joints"] | None = None

    def take(self, index: Int[np.ndarray, "n s"]) -> "Frames":
        """Return frames by index; those outside the clip repeat the nearest one, not present."""
        t = self.time.shape[1]
        rows, columns = np.arange(len(index))[:, None], np.clip(index, 0, t - 1)
        inside = (index >= 0) & (index < t)

        def taken(values: np.ndarray) -> np.ndarray:
            return values[rows, columns]

        return Frames(
            facing=taken(self.facing),
            pose2d=taken(self.pose2d),
            confidence=taken(self.confidence),
            focal=taken(self.focal),
            center=taken(self.center),
            time=taken(self.time),
            present=taken(self.present) & inside,
            std=None if self.std is None else taken(self.std),
        )

    def padded(self, lookahead: int) -> "Frames":
        """Return the frames with those that precede the first and follow the last output."""
        n, t = self.time.shape
        index = np.arange(lookahead - LENGTH + 1, t + lookahead)
        return self.take(np.broadcast_to(index, (n, len(index))))


@dataclass(frozen=True)
class View:
    """Camera and viewing direction, averaged over the window of each frame.

    Attributes:
        place: mean position of the person in the image, normalised units.
        rotation: from a camera that faces this position to the camera of the image.
        focal, center: mean camera, normalised units.
    """

    place: Float[np.ndarray, "n t 2"]
    rotation: Float[np.ndarray, "n t 3 3"]
    focal: Float[np.ndarray, "n t 2"]
    center: Float[np.ndarray, "n t 2"]


def crop(
    pose2d: Float[np.ndarray, "*batch joints 2"], confidence: Float[np.ndarray, "*batch joints"]
) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch"]]:
    """Return mean and spread (root mean square) of the visible joints."""
    visible = (confidence > 0)[..., None]
    count = np.maximum(visible.sum(-2), 1)
    place = (pose2d * visible).sum(-2) / count
    squared = (((pose2d - place[..., None, :]) * visible) ** 2).sum((-2, -1)) / count[..., 0]
    return place, np.maximum(np.sqrt(squared), _MIN_SPREAD)


def facing(
    relative: Float[np.ndarray, "n joints 3"],
    place: Float[np.ndarray, "n 2"],
    focal: Float[np.ndarray, "n 2"],
    center: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n joints 3"]:
    """Return root-relative poses of the camera frame in the axes of a camera facing `place`."""
    return relative @ view_rotation(place, focal, center)


def inputs(
    frames: Frames, lookahead: int
) -> tuple[Float[np.ndarray, "n t features"], Float[np.ndarray, "n t joints 3"], View]:
    """Return the features of each frame, and its pose in the axes of the mean view.

    The mean view does not follow the jitter of detections and estimated cameras. Features are, in
    order: the pose, the 2D relative to the visible joints, confidences, the position in the image,
    its distance from the mean position, size, time since the previous frame, presence, and the
    share of the window that follows the frame.

    Args:
        frames: as returned by `Frames.padded`.
        lookahead: frames of the window after the estimated one.
    """
    place, size = crop(frames.pose2d, frames.confidence)
    place, size = place.astype(np.float64), size[..., None]
    focal, center, middle = (
        window_mean(values, frames.present, lookahead)
        for values in (np.log(frames.focal.astype(np.float64)), frames.center, place)
    )
    focal = np.exp(focal)
    view = View(middle, rotations(middle, focal, center), focal, center)
    pose = frames.facing @ np.swapaxes(rotations(place, focal, center), -1, -2) @ view.rotation
    visible = (frames.confidence > 0)[..., None]
    points = (frames.pose2d - place[..., None, :]) / size[..., None] * visible
    step = np.diff(frames.time, axis=1, prepend=frames.time[:, :1])
    step = np.where(step > 0, np.log(np.clip(step, MIN_STEP, MAX_STEP) * 30), 0.0)
    columns = [
        pose.reshape(*pose.shape[:2], -1),
        points.reshape(*pose.shape[:2], -1),
        frames.confidence,
        middle,
        (place - middle) / size,
        np.log(size) + 1,
        step[..., None],
        frames.present[..., None],
        np.full((*pose.shape[:2], 1), lookahead / (LENGTH // 2)),
    ]
    if frames.std is not None:
        columns.append(np.log(np.clip(frames.std, 1e-3, 10.0) / 0.05))
    features = np.concatenate(columns, axis=-1, dtype=np.float32, casting="same_kind")
    return features, pose.astype(np.float32), view


def n_features(joints: int, std: bool) -> int:
    """Return the number of features per frame."""
    return (7 if std else 6) * joints + 8


def outputs(values: np.ndarray, lookahead: int) -> np.ndarray:
    """Return the rows (n, t, ...) of padded frames that are estimated."""
    end = values.shape[1] - lookahead
    return values[:, LENGTH - 1 - lookahead : end]


def rotations(
    place: Float[np.ndarray, "n t 2"],
    focal: Float[np.ndarray, "n t 2"],
    center: Float[np.ndarray, "n t 2"],
) -> Float[np.ndarray, "n t 3 3"]:
    """Return the rotations from cameras that face image points to the cameras of the images."""
    flat = (values.reshape(-1, 2) for values in (place, focal, center))
    return view_rotation(*flat).reshape(*place.shape[:2], 3, 3)


def window_mean(
    values: Float[np.ndarray, "n t columns"], present: Bool[np.ndarray, "n t"], lookahead: int
) -> Float[np.ndarray, "n t columns"]:
    """Return the mean over the frames of each frame's window in which the person is present."""
    t = values.shape[1]
    weight = np.concatenate([values * present[..., None], present[..., None]], axis=-1)
    total = np.cumsum(np.pad(weight, ((0, 0), (1, 0), (0, 0))), axis=1, dtype=np.float64)
    first = np.maximum(np.arange(t) - (LENGTH - 1 - lookahead), 0)
    last = np.minimum(np.arange(t) + lookahead + 1, t)
    part = total[:, last] - total[:, first]
    count = part[..., -1:]
    return np.where(count > 0.5, part[..., :-1] / np.maximum(count, 1), values)
