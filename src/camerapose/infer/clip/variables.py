"""Variables and measurements of the clip optimisation, and the joints that they determine."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from camerapose.core.viewing import view_rotation
from camerapose.infer.clip.body import Body
from camerapose.infer.clip.vertical import Vertical

#: Shared variables before the bone lengths: logarithm of the focal length, direction of the
#: vertical (2), height of the camera above the floor.
FOCAL, UP, FLOOR, LENGTHS = 0, slice(1, 3), 3, 4


@dataclass
class Motion:
    """Variables of one person: one row per frame.

    Attributes:
        place: image position of the root, normalised units.
        log_distance: logarithm of its depth in metres, divided by the focal length: the size in the
            image determines it, whatever the focal length is.
        direction: unit vectors of the bones, camera frame.
    """

    place: Float[np.ndarray, "t 2"]
    log_distance: Float[np.ndarray, " t"]
    direction: Float[np.ndarray, "t bones 3"]

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, rows: slice) -> "Motion":
        return Motion(self.place[rows], self.log_distance[rows], self.direction[rows])


@dataclass
class Shared:
    """Variables of the whole clip.

    Attributes:
        log_focal: logarithm of the focal length, normalised units.
        up: upward unit vector in the camera frame.
        floor: height of the camera above the floor, metres.
        log_length: logarithms of the bone lengths of each person, one per pair of bones.
    """

    log_focal: float
    up: Float[np.ndarray, "3"]
    floor: float
    log_length: list[Float[np.ndarray, " groups"]]


@dataclass(frozen=True)
class Window:
    """Measurements of one person in frames of increasing time.

    Attributes:
        person: index of the person.
        times: seconds.
        points: detections, normalised image coordinates.
        deviation: their standard deviations.
        center: principal point.
        position: image position of the whole person, from which the lifter saw it.
        facing: bone directions of the lifter in the axes of a camera that faces this position.
        lifted: the same in the axes of the camera (`aimed`).
        lifted_deviation: standard deviation of these per coordinate.
        log_focal: logarithm of the focal length for which `lifted` holds.
        vertical: upward directions that the poses indicate, in the axes of that camera.
        up: the same in the axes of the camera (`aimed`).
        contact: probability that each foot is in contact; zeros: no contact terms.
        ankle: height of the ankle above the floor, metres.
        has_floor: whether the terms of the floor and the vertical apply.
    """

    person: int
    times: Float[np.ndarray, " t"]
    points: Float[np.ndarray, "t joints 2"]
    deviation: Float[np.ndarray, "t joints"]
    center: Float[np.ndarray, "2"]
    position: Float[np.ndarray, "t 2"]
    facing: Float[np.ndarray, "t bones 3"]
    lifted: Float[np.ndarray, "t bones 3"]
    lifted_deviation: Float[np.ndarray, "t bones"]
    log_focal: float
    vertical: Vertical
    up: Float[np.ndarray, "t 3"]
    contact: Float[np.ndarray, "t 2"]
    ankle: float
    has_floor: bool

    def __getitem__(self, rows: slice) -> "Window":
        names = ("times", "points", "deviation", "position", "facing", "lifted",
                 "lifted_deviation", "vertical", "up", "contact")  # fmt: skip
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def aimed(self, log_focal: float) -> "Window":
        """Return the window with the lifter's directions for a focal length.

        The lifter's pose depends on the viewing direction, and this on the focal length. The
        directions are constant while the focal length is estimated: the lifter does not see the
        difference between a lean of the body and a rotation of the camera.
        """
        n = len(self.times)
        focal = np.full((n, 2), np.exp(log_focal))
        rotation = view_rotation(self.position, focal, np.broadcast_to(self.center, (n, 2)))
        lifted = self.facing @ np.swapaxes(rotation, 1, 2)
        up = (rotation @ self.vertical.up[..., None])[..., 0]
        return replace(self, lifted=lifted, up=up, log_focal=log_focal)

    def with_contact(self, contact: Float[np.ndarray, "t 2"]) -> "Window":
        """Return the same measurements with other contacts."""
        return replace(self, contact=contact)


@dataclass(frozen=True)
class Geometry:
    """Quantities derived from the variables.

    Attributes:
        focal: focal length, normalised units.
        length: of the bones, metres.
        distance: depth of the root divided by the focal length.
        root: metres, like the following.
        direction: unit vectors of the bones.
        bones: their vectors.
        joints: camera frame.
        first: index of the person's first bone length among the shared variables.
    """

    focal: float
    length: Float[np.ndarray, " bones"]
    distance: Float[np.ndarray, " t"]
    root: Float[np.ndarray, "t 3"]
    direction: Float[np.ndarray, "t bones 3"]
    bones: Float[np.ndarray, "t bones 3"]
    joints: Float[np.ndarray, "t joints 3"]
    first: int

    @cached_property
    def root_jacobian(self) -> Float[np.ndarray, "t 3 3"]:
        """Derivatives of the root by place and log distance."""
        jacobian = np.zeros((len(self.root), 3, 3))
        jacobian[:, 0, 0] = jacobian[:, 1, 1] = self.distance
        jacobian[:, :, 2] = self.root
        return jacobian

    @cached_property
    def root_by_focal(self) -> Float[np.ndarray, "t 3"]:
        """Derivatives of the root by the logarithm of the focal length."""
        return self.root * (0.0, 0.0, 1.0)

    @cached_property
    def tangent(self) -> Float[np.ndarray, "t bones 3 2"]:
        """Derivatives of the directions by two angles."""
        return tangents(self.direction)

    @cached_property
    def scaled(self) -> Float[np.ndarray, "t bones 3 2"]:
        """Derivatives of the bones by two angles."""
        return self.tangent * self.length[:, None, None]


def geometry(
    window: Window, motion: Motion, shared: Shared, body: Body, first: int = 0
) -> Geometry:
    """Return joints, and Jacobians by the variables."""
    focal = float(np.exp(shared.log_focal))
    length = np.exp(shared.log_length[window.person])[body.group]
    distance = np.exp(motion.log_distance)
    ray = np.concatenate([motion.place - window.center, np.full((len(motion), 1), focal)], axis=1)
    root = ray * distance[:, None]
    bones = motion.direction * length[:, None]
    joints = root[:, None] + body.path @ bones
    return Geometry(focal, length, distance, root, motion.direction, bones, joints, first)


def tangents(direction: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3 2"]:
    """Return an orthonormal basis of the plane perpendicular to each unit vector."""
    x, y, z = np.moveaxis(direction, -1, 0)
    sign = np.where(z < 0, -1.0, 1.0)
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=-1)
    second = np.stack([b, sign + y * y * a, -y], axis=-1)
    return np.stack([first, second], axis=-1)
