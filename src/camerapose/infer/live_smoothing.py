"""Causal smoothing of people and cameras, frame by frame."""

from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core.poses import Poses
from camerapose.infer.clip.camera import average_camera, replace_camera, with_pose3d
from camerapose.infer.clip.rows import MAX_GAP, check_poses, check_strength, person_numbers

#: Cutoff frequency of the camera without motion, hertz.
CUTOFF_CAMERA = 0.3
#: Number of people above which those who have left are forgotten.
MAX_PEOPLE = 100


class OneEuroFilter:
    """The One-Euro filter: a causal low-pass filter whose cutoff rises with speed.

    Slow changes are smoothed strongly, fast ones follow with little delay (Casiez, Roussel and
    Vogel, CHI 2012).

    Args:
        cutoff: cutoff frequency without motion, hertz.
        speed: increase of the cutoff (hertz) per unit of speed (units per second).
        speed_cutoff: cutoff frequency of the speed itself, hertz.
    """

    def __init__(self, cutoff: float, speed: float = 0.0, speed_cutoff: float = 1.0):
        self.cutoff, self.speed, self.speed_cutoff = cutoff, speed, speed_cutoff
        self._time: float | None = None
        self._value = self._rate = np.zeros(0)

    def __call__(self, values: Any, time: float) -> np.ndarray:
        """Return the filtered values of the next time step; the first ones are not changed.

        Args:
            values: the last axis is one vector, whose speed is its norm.
            time: seconds; where it does not increase, the previous result is returned.
        """
        values = np.asarray(values, float)
        if self._time is None:
            self._value, self._rate = values, np.zeros_like(values)
        elif time > self._time:
            step = time - self._time
            rate = (values - self._value) / step
            self._rate = self._rate + _gain(self.speed_cutoff, step) * (rate - self._rate)
            speed = np.linalg.norm(self._rate, axis=-1, keepdims=True)
            gain = _gain(self.cutoff + self.speed * speed, step)
            self._value = self._value + gain * (values - self._value)
        else:
            return self._value
        self._time = time
        return self._value


def _gain(cutoff: Any, step: float) -> Any:
    """Return the weight of a new value in a first-order low-pass filter."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * step))


class LiveSmoother:
    """Causal counterpart of `clip.optimize` for a live stream, with One-Euro filters.

    One filter for the camera, which all people share, and per person filters for the root-relative
    joints, the position in the image and the depth. The filters of a person who is absent for
    longer than a second start again.

    Args:
        strength: 1 is the default, 2 smooths more with more delay, 0 disables smoothing.

    Raises:
        ValueError: negative strength.
    """

    def __init__(self, strength: float = 1.0):
        check_strength(strength)
        self.strength = strength
        self._camera = OneEuroFilter(CUTOFF_CAMERA / strength) if strength else None
        self._people: dict[int, tuple[float, dict[str, OneEuroFilter]]] = {}

    def __call__(self, poses: Poses, time: float) -> Poses:
        """Return the smoothed people of the next frame.

        Args:
            poses: numpy, with 3D and cameras; one row per person, with the label person if there
                are several.
            time: seconds.
        """
        check_poses(poses, "pose3d", "camera")
        if self._camera is None or len(poses) == 0:
            return poses
        poses = self._with_camera(average_camera(poses), time)
        assert poses.camera is not None
        focal, center = poses.camera.focal, poses.camera.center
        root = np.asarray(poses.root_position, float)
        relative = np.asarray(poses.pose3d - poses.root_position[:, None], float)
        place = root[:, :2] / root[:, 2:] * focal + center
        for row, person in enumerate(person_numbers(poses).tolist()):
            filters = self._filters(person, time)
            relative[row] = filters["body"](relative[row], time)
            place[row] = filters["place"](place[row], time)
            root[row, 2:] = np.exp(filters["depth"](np.log(root[row, 2:]), time))
        root[:, :2] = (place - center) / focal * root[:, 2:]
        return with_pose3d(poses, relative, root, focal, center)

    def _with_camera(self, poses: Poses, time: float) -> Poses:
        """Return the people of a frame with the smoothed camera."""
        assert self._camera is not None and poses.camera is not None
        camera = np.concatenate([np.log(poses.camera.focal[0]), poses.camera.center[0]])
        columns: Float[np.ndarray, "n 4"]
        columns = np.broadcast_to(self._camera(camera, time), (len(poses), 4))
        return replace_camera(poses, np.exp(columns[:, :2]), columns[:, 2:])

    def _filters(self, person: int, time: float) -> dict[str, OneEuroFilter]:
        """Return the filters of a person, new ones after a long absence; forget other people's."""
        last, filters = self._people.get(person, (-np.inf, {}))
        if time - last > MAX_GAP:
            filters = {
                "body": OneEuroFilter(1.0 / self.strength, 8.0),
                "place": OneEuroFilter(1.0 / self.strength, 40.0),
                "depth": OneEuroFilter(0.3 / self.strength, 15.0),
            }
        self._people[person] = (time, filters)
        if len(self._people) > MAX_PEOPLE:
            recent = {i: p for i, p in self._people.items() if time - p[0] <= MAX_GAP}
            self._people = recent
        return filters
