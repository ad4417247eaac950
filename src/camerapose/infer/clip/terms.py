"""Terms of the clip optimisation for one person in consecutive frames, with their Jacobians."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from camerapose.core.skeleton import Skeleton
from camerapose.core.viewing import view_rotation
from camerapose.infer.clip.tree import attached, find

#: Variables of a frame before the bones: image position of the root (2), logarithm of its distance.
ROOT = 3
#: Index of the last of these.
DEPTH = 2
#: Shared variables before the bone lengths: logarithm of the focal length, direction of the
#: vertical (2), height of the camera above the floor.
FOCAL, UP, FLOOR, LENGTHS = 0, slice(1, 3), 3, 4
#: Endings of the names of joints at the sole of the foot.
SOLES = ("heel", "toe", "foot_index")


@dataclass(frozen=True)
class Weights:
    """Standard deviations and time constants of the terms.

    Errors of a detector or lifter are correlated over time: a term of time constant tau counts once
    per tau seconds, or once per frame if frames are further apart.
    """

    pixel_scale: float = 1.5
    """Factor of the standard deviations of the detections."""
    pixel_time: float = 0.1
    """Time constant of detection errors, seconds."""
    lifter_time: float = 0.5
    """Time constant of the lifter's errors, seconds."""
    robust: float = 4.0
    """Squared residual (in standard deviations) at which the weight of a detection is halved."""
    root_acceleration: float = 1.2
    """Square root of the power density of the root's acceleration along the image axes, m/s^2 per
    sqrt(Hz)."""
    depth_acceleration: float = 0.4
    """The same along the optical axis: smaller, since errors of the depth are correlated."""
    bone_acceleration: float = 8.0
    """The same for bone directions, 1/s^2 per sqrt(Hz)."""
    contact_speed: float = 0.05
    """Standard deviation of the velocity of a foot in contact, m/s."""
    contact_time: float = 0.1
    """Its time constant, seconds."""
    floor: float = 0.06
    """Standard deviation of the height of a foot in contact, metres."""
    floor_time: float = 0.5
    """Its time constant, seconds; a longer stance counts once."""
    below_floor: float = 0.03
    """Standard deviation of the height of ankles below their standing height, metres."""
    sole: float = 0.01
    """Standard deviation of the height of heels and toes below the floor, metres."""
    sole_time: float = 0.1
    """Its time constant, seconds."""
    upright: float = 0.1
    """Standard deviation of the lean of a straight body, radians."""
    upright_time: float = 1.0
    """Its time constant, seconds."""


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
class Body:
    """Topology of a skeleton.

    Attributes:
        path: whether a bone lies between the root and a joint.
        group: number of the bone's length; both sides share one.
        ankles: joints of the feet; empty if the skeleton lacks them.
        knees: likewise.
        soles: heels and toes, as far as the skeleton has them.
        thorax: upper end of the trunk; None if the skeleton lacks it.
    """

    skeleton: Skeleton
    path: Float[np.ndarray, "joints bones"]
    group: Int[np.ndarray, " bones"]
    ankles: tuple[int, ...]
    knees: tuple[int, ...]
    soles: tuple[int, ...]
    thorax: int | None

    @staticmethod
    def of(skeleton: Skeleton) -> "Body":
        """Return the topology of a skeleton; definitions of a joint are attached to each other."""
        skeleton = attached(skeleton)
        above = {child: (bone, parent) for bone, (child, parent) in enumerate(skeleton.bones)}
        path = np.zeros((skeleton.n_joints, len(skeleton.bones)))
        for joint in range(skeleton.n_joints):
            current = joint
            while current in above:
                bone, current = above[current]
                path[joint, bone] = 1.0
        pairs = [min(i, j) for i, j in enumerate(skeleton.bone_mirror)]
        group = np.unique(pairs, return_inverse=True)[1]
        soles = tuple(i for i, name in enumerate(skeleton.joints) if name.endswith(SOLES))
        return Body(
            skeleton, path, group, _pair(skeleton, "ankle"), _pair(skeleton, "knee"), soles,
            find(skeleton, "thorax"),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of variables of a frame."""
        return ROOT + 2 * self.path.shape[1]


def _pair(skeleton: Skeleton, joint: str) -> tuple[int, ...]:
    """Return the left and the right joint; empty if the skeleton lacks them."""
    left, right = (find(skeleton, f"{side}_{joint}") for side in ("left", "right"))
    return () if left is None or right is None else (left, right)


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
    contact: Float[np.ndarray, "t 2"]
    ankle: float
    has_floor: bool

    def __getitem__(self, rows: slice) -> "Window":
        names = ("times", "points", "deviation", "position", "facing", "lifted",
                 "lifted_deviation", "contact")  # fmt: skip
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
        return replace(self, lifted=lifted, log_focal=log_focal)

    def with_contact(self, contact: Float[np.ndarray, "t 2"]) -> "Window":
        """Return the same measurements with other contacts."""
        return replace(self, contact=contact)


@dataclass
class Normal:
    """Normal equations: Gauss-Newton blocks of the frames, and of the shared variables.

    Attributes:
        near: blocks of a frame with itself.
        next: blocks of frame t + 1 (rows) with frame t (columns).
        second: the same for frame t + 2.
        gradient: of the frames.
        cross: frames by shared variables.
        shared: shared variables by themselves.
        shared_gradient: their gradient.
        cost: robust cost.
    """

    near: np.ndarray
    next: np.ndarray
    second: np.ndarray
    gradient: np.ndarray
    cross: np.ndarray
    shared: np.ndarray
    shared_gradient: np.ndarray
    cost: float = 0.0

    def fix(self, variable: int) -> None:
        """Remove a variable of every frame: its step is 0."""
        for block in (self.near, self.next, self.second):
            block[:, variable] = block[:, :, variable] = 0.0
        self.near[:, variable, variable] = 1.0
        self.gradient[:, variable] = self.cross[:, variable] = 0.0


@dataclass
class Geometry:
    """Quantities derived from the variables."""

    focal: float
    length: np.ndarray  # bones
    root: np.ndarray  # t 3
    bones: np.ndarray  # t bones 3, metres
    joints: np.ndarray  # t joints 3
    root_jacobian: np.ndarray  # t 3 3, by place and log distance
    root_by_focal: np.ndarray  # t 3, by log focal
    tangent: np.ndarray  # t bones 3 2
    first: int  # index of the person's first bone length
    scaled: np.ndarray = field(init=False)  # t bones 3 2: tangent times length

    def __post_init__(self) -> None:
        self.scaled = self.tangent * self.length[:, None, None]


def geometry(
    window: Window, motion: Motion, shared: Shared, body: Body, first: int = 0
) -> Geometry:
    """Return joints and Jacobians of the variables."""
    focal = float(np.exp(shared.log_focal))
    length = np.exp(shared.log_length[window.person])[body.group]
    distance = np.exp(motion.log_distance)[:, None]
    ray = np.concatenate([motion.place - window.center, np.full((len(motion), 1), focal)], axis=1)
    root = ray * distance
    bones = motion.direction * length[:, None]
    joints = root[:, None] + np.einsum("jb,tbk->tjk", body.path, bones)
    jacobian = np.zeros((len(motion), 3, 3))
    jacobian[:, 0, 0] = jacobian[:, 1, 1] = distance[:, 0]
    jacobian[:, :, 2] = root
    by_focal = root * (0.0, 0.0, 1.0)
    return Geometry(focal, length, root, bones, joints, jacobian, by_focal,
                    tangents(motion.direction), first)  # fmt: skip


def tangents(direction: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3 2"]:
    """Return an orthonormal basis of the plane perpendicular to each unit vector."""
    x, y, z = np.moveaxis(direction, -1, 0)
    sign = np.where(z < 0, -1.0, 1.0)
    a = -1 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=-1)
    second = np.stack([b, sign + y * y * a, -y], axis=-1)
    return np.stack([first, second], axis=-1)


def steps(times: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Return the time that each frame stands for: half of both neighbouring steps."""
    if len(times) == 1:
        return np.ones(1)
    step = np.diff(times)
    return (np.append(step, step[-1]) + np.insert(step, 0, step[0])) / 2


def share(times: Float[np.ndarray, " t"], constant: float) -> Float[np.ndarray, " t"]:
    """Return the weight of each frame for errors that are correlated over `constant` seconds."""
    return np.minimum(steps(times) / constant, 1.0)


def stance_share(
    times: Float[np.ndarray, " t"], contact: Float[np.ndarray, " t"], constant: float
) -> Float[np.ndarray, " t"]:
    """Return the weight of each frame for errors that are constant during a stance."""
    stands = np.concatenate([[False], contact > 0.5, [False]])
    step, result = steps(times), np.zeros(len(times))
    edges = np.flatnonzero(np.diff(stands)).reshape(-1, 2)
    for start, end in edges:
        duration = step[start:end].sum()
        result[start:end] = step[start:end] / max(duration, constant)
    return result * contact


def straightness(joints: np.ndarray, body: Body) -> Float[np.ndarray, " t"]:
    """Return the distance from ankles to thorax relative to the length of the chain between."""
    if not body.ankles or body.thorax is None or not body.knees:
        return np.zeros(len(joints))
    chain = np.stack(
        [joints[:, list(body.ankles)].mean(1), joints[:, list(body.knees)].mean(1),
         joints[:, body.skeleton.root_index], joints[:, body.thorax]]
    )  # fmt: skip
    total = np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum(0)
    return np.linalg.norm(chain[-1] - chain[0], axis=-1) / np.maximum(total, 1e-9)


def normal_equations(
    window: Window,
    motion: Motion,
    shared: Shared,
    body: Body,
    weights: Weights,
    n_shared: int,
    first_length: int,
) -> Normal:
    """Return the normal equations of all terms of a window.

    Args:
        n_shared: number of shared variables.
        first_length: index of the person's first bone length among them.
    """
    t, n = len(motion), body.size
    system = Normal(
        np.zeros((t, n, n)), np.zeros((max(t - 1, 0), n, n)), np.zeros((max(t - 2, 0), n, n)),
        np.zeros((t, n)), np.zeros((t, n, n_shared)), np.zeros((n_shared, n_shared)),
        np.zeros(n_shared),
    )  # fmt: skip
    shape = geometry(window, motion, shared, body, first_length)
    _add_detections(system, window, shape, body, weights)
    _add_lifter(system, window, motion, shape.tangent, weights)
    _add_acceleration(system, window, shape, weights)
    if window.has_floor and body.ankles:
        joints = _joint_jacobians(shape, body, body.ankles)
        _add_contacts(system, window, shape, body, weights, joints)
        _add_floor(system, window, shape, shared, body, weights)
        _add_upright(system, window, shape, shared, body, weights, joints)
    return system


def _add(
    system: Normal,
    residual: Float[np.ndarray, "t rows"],
    local: Float[np.ndarray, "t rows n"],
    shared: Float[np.ndarray, "t rows shared"],
) -> None:
    """Add weighted residuals of single frames and their Jacobians."""
    transposed = np.swapaxes(local, 1, 2)
    system.near += transposed @ local
    system.gradient += (transposed @ residual[..., None])[..., 0]
    system.cross += transposed @ shared
    rows = shared.reshape(-1, shared.shape[-1])
    system.shared += rows.T @ rows
    system.shared_gradient += rows.T @ residual.reshape(-1)


def _add_detections(
    system: Normal, window: Window, shape: Geometry, body: Body, weights: Weights
) -> None:
    t, joints, _ = window.points.shape
    depth = np.maximum(shape.joints[..., 2], 0.05)
    plane = shape.joints[..., :2] / depth[..., None]
    deviation = window.deviation[..., None] * weights.pixel_scale
    residual = (plane * shape.focal + window.center - window.points) / deviation
    squared = (residual**2).sum(-1)
    part = share(window.times, weights.pixel_time)[:, None]
    system.cost += float((part * weights.robust * np.log1p(squared / weights.robust)).sum()) / 2
    weight = np.sqrt(part / (1 + squared / weights.robust))[..., None]
    scale = weight / deviation
    by_point = np.zeros((t, joints, 2, 3))
    by_point[..., 0, 0] = by_point[..., 1, 1] = shape.focal / depth
    by_point[..., 2] = -plane * (shape.focal / depth)[..., None]
    by_point *= scale[..., None]
    rows = by_point.reshape(t, joints * 2, 3)
    path = np.repeat(body.path, 2, axis=0)
    local = np.empty((t, joints * 2, body.size))
    local[..., :ROOT] = rows @ shape.root_jacobian
    flat = np.moveaxis(shape.scaled, 1, 2).reshape(t, 3, -1)
    local[..., ROOT:] = (rows @ flat) * np.repeat(path, 2, axis=1)
    by_shared = np.zeros((t, joints * 2, system.cross.shape[-1]))
    by_shared[..., FOCAL] = (rows @ shape.root_by_focal[..., None])[..., 0]
    by_shared[..., FOCAL] += (plane * shape.focal * scale).reshape(t, -1)
    groups = np.eye(body.group.max() + 1)[body.group]
    lengths = (rows @ np.swapaxes(shape.bones, 1, 2)) * path
    by_shared[..., shape.first : shape.first + groups.shape[1]] = lengths @ groups
    _add(system, (residual * weight).reshape(t, -1), local, by_shared)


def _add_lifter(
    system: Normal, window: Window, motion: Motion, tangent: np.ndarray, weights: Weights
) -> None:
    part = share(window.times, weights.lifter_time)[:, None]
    weight = np.sqrt(part) / window.lifted_deviation
    residual = (motion.direction - window.lifted) * weight[..., None]
    system.cost += float((residual**2).sum()) / 2
    index = np.arange(ROOT, system.gradient.shape[1]).reshape(-1, 2)
    for i in (0, 1):
        system.near[:, index[:, i], index[:, i]] += weight**2
    product = (np.swapaxes(tangent, 2, 3) * weight[..., None, None] @ residual[..., None])[..., 0]
    system.gradient[:, ROOT:] += product.reshape(len(motion), -1)


def _add_acceleration(system: Normal, window: Window, shape: Geometry, weights: Weights) -> None:
    t = len(window.times)
    if t < 3:
        _add_velocity(system, window, shape, weights)
        return
    before, after = np.diff(window.times)[:-1], np.diff(window.times)[1:]
    middle = (before + after) / 2
    factors = np.stack([1 / (before * middle), -1 / before / middle - 1 / after / middle,
                        1 / (after * middle)])  # fmt: skip
    scale = 1 / np.array([weights.root_acceleration] * 2 + [weights.depth_acceleration])
    # With a constant focal length: otherwise errors of the depth, which are proportional to it,
    # would cost less the shorter it is.
    constant = np.array([1.0, 1.0, np.exp(window.log_focal) / shape.focal]) * scale
    root, jacobian = shape.root * constant, shape.root_jacobian * constant[:, None]
    _add_chain(system, factors * np.sqrt(middle), root[:, None], jacobian[:, None], 0)
    bone_weight = np.sqrt(middle) / weights.bone_acceleration
    _add_chain(system, factors * bone_weight, shape.bones / shape.length[:, None],
               shape.tangent, ROOT)  # fmt: skip


def _add_chain(
    system: Normal,
    factors: Float[np.ndarray, "3 t"],
    values: Float[np.ndarray, "n items 3"],
    jacobian: Float[np.ndarray, "n items 3 d"],
    first: int,
) -> None:
    """Add second differences of several items whose variables are independent of each other."""
    t, items, _, d = jacobian.shape[0] - 2, *jacobian.shape[1:]
    scaled = factors[:, :, None, None]
    residual = sum(scaled[i] * values[i : t + i] for i in range(3))
    system.cost += float((residual**2).sum()) / 2
    parts = [scaled[i][..., None] * jacobian[i : t + i] for i in range(3)]
    index = first + np.arange(items * d).reshape(items, d)
    rows, columns = index[:, :, None], index[:, None, :]
    blocks = (system.near, system.next, system.second)
    for i in range(3):
        own = np.swapaxes(parts[i], 2, 3)
        system.gradient[i : t + i, index] += (own @ residual[..., None])[..., 0]
        for j in range(i + 1):  # frame i is at or after frame j
            block = blocks[i - j]
            block[j : t + j, rows, columns] += own @ parts[j]


def _add_velocity(system: Normal, window: Window, shape: Geometry, weights: Weights) -> None:
    """Two frames have no acceleration: their depths differ by no more than a person can walk."""
    if len(window.times) < 2:
        return
    step = window.times[1] - window.times[0]
    weight = 1 / (weights.depth_acceleration * 2 * np.sqrt(step))
    jacobian = shape.root_jacobian * weight
    residual = (shape.root[1] - shape.root[0]) * weight
    system.cost += float(residual @ residual) / 2
    for row, sign in ((0, -1.0), (1, 1.0)):
        system.near[row, :ROOT, :ROOT] += jacobian[row].T @ jacobian[row]
        system.gradient[row, :ROOT] += sign * jacobian[row].T @ residual
    system.next[0, :ROOT, :ROOT] -= jacobian[1].T @ jacobian[0]


def _joint_jacobians(
    shape: Geometry, body: Body, joints: tuple[int, ...]
) -> Float[np.ndarray, "joints t 3 n"]:
    """Return the derivatives of joint positions by the variables of their frame."""
    t, bones = shape.bones.shape[:2]
    result = np.empty((len(joints), t, 3, ROOT + 2 * bones))
    result[..., :ROOT] = shape.root_jacobian
    flat = np.moveaxis(shape.scaled, 1, 2).reshape(t, 3, -1)
    for row, joint in enumerate(joints):
        result[row, ..., ROOT:] = flat * np.repeat(body.path[joint], 2)
    return result


def _by_shared(
    shape: Geometry, body: Body, joint: int, n_shared: int
) -> Float[np.ndarray, "t 3 shared"]:
    """Return the derivatives of a joint's position by the shared variables."""
    result = np.zeros((len(shape.root), 3, n_shared))
    result[..., FOCAL] = shape.root_by_focal
    groups = np.eye(body.group.max() + 1)[body.group] * body.path[joint][:, None]
    result[..., shape.first : shape.first + groups.shape[1]] = (
        np.swapaxes(shape.bones, 1, 2) @ groups
    )
    return result


def _add_contacts(
    system: Normal, window: Window, shape: Geometry, body: Body, weights: Weights,
    jacobians: np.ndarray,
) -> None:  # fmt: skip
    """Feet in contact in two consecutive frames do not move."""
    if len(window.times) < 2:
        return
    step = np.diff(window.times)
    part = np.minimum(step / weights.contact_time, 1.0)
    for foot, joint in enumerate(body.ankles):
        both = window.contact[1:, foot] * window.contact[:-1, foot]
        weight = (np.sqrt(part * both) / weights.contact_speed / step)[:, None]
        place, jacobian = shape.joints[:, joint], jacobians[foot]
        residual = (place[1:] - place[:-1]) * weight
        system.cost += float((residual**2).sum()) / 2
        later, earlier = jacobian[1:] * weight[..., None], jacobian[:-1] * weight[..., None]
        by_shared = _by_shared(shape, body, joint, system.cross.shape[-1])
        by_shared = (by_shared[1:] - by_shared[:-1]) * weight[..., None]
        for rows, own, sign in ((slice(1, None), later, 1.0), (slice(None, -1), earlier, -1.0)):
            transposed = np.swapaxes(own, 1, 2)
            system.near[rows] += transposed @ own
            system.gradient[rows] += sign * (transposed @ residual[..., None])[..., 0]
            system.cross[rows] += sign * (transposed @ by_shared)
        system.next -= np.swapaxes(later, 1, 2) @ earlier
        lines = by_shared.reshape(-1, by_shared.shape[-1])
        system.shared += lines.T @ lines
        system.shared_gradient += lines.T @ residual.reshape(-1)


def _add_floor(
    system: Normal, window: Window, shape: Geometry, shared: Shared, body: Body, weights: Weights
) -> None:
    """Feet in contact are on the floor, and no foot is below it.

    The former is robust, since people also stand on steps and objects, the latter less so.
    """
    joints = [*body.ankles, *(body.soles if np.isfinite(weights.sole) else ())]
    place = shape.joints[:, joints]
    height = place @ shared.up + shared.floor
    height[:, :2] -= window.ankle
    # In contact.
    amount, robust = np.zeros_like(height), weights.robust
    for foot in (0, 1):
        contact = window.contact[:, foot]
        amount[:, foot] = stance_share(window.times, contact, weights.floor_time)
    residual = height / weights.floor
    system.cost += float((amount * robust * np.log1p(residual**2 / robust)).sum()) / 2
    scale = np.sqrt(amount / (1 + residual**2 / robust)) / weights.floor
    # Below the floor: Huber's loss.
    deviation = np.array([weights.below_floor] * 2 + [weights.sole] * (len(joints) - 2))
    parts = [share(window.times, time) for time in (weights.floor_time, weights.sole_time)]
    amount = np.stack(parts, axis=1)[:, [0, 0] + [1] * (len(joints) - 2)]
    depth, limit = np.maximum(-height, 0) / deviation, np.sqrt(robust)
    loss = np.where(depth < limit, depth**2, limit * (2 * depth - limit))
    system.cost += float((amount * loss).sum()) / 2
    below = np.sqrt(amount * np.minimum(1, limit / np.maximum(depth, limit))) * (depth > 0)
    scale = np.hypot(scale, below / deviation)
    by_pose, by_shared = _height_jacobians(shape, shared.up, body, joints, system)
    by_shared[..., UP] = place @ tangents(shared.up)
    by_shared[..., FLOOR] = 1.0
    scaled = scale[..., None]
    _add(system, height * scale, by_pose * scaled, by_shared * scaled)


def _height_jacobians(
    shape: Geometry, up: np.ndarray, body: Body, joints: list[int], system: Normal
) -> tuple[Float[np.ndarray, "t joints n"], Float[np.ndarray, "t joints shared"]]:
    """Return the derivatives of the heights of joints, for a constant vertical."""
    t, path = len(shape.root), body.path[joints]
    flat = (up @ np.moveaxis(shape.scaled, 1, 2).reshape(t, 3, -1))[:, None]
    root = np.repeat((up @ shape.root_jacobian)[:, None], len(joints), axis=1)
    by_pose = np.concatenate([root, flat * np.repeat(path, 2, axis=1)], axis=2)
    by_shared = np.zeros((t, len(joints), system.cross.shape[-1]))
    by_shared[..., FOCAL] = (shape.root_by_focal @ up)[:, None]
    groups = np.eye(body.group.max() + 1)[body.group]
    lengths = ((shape.bones @ up)[:, None] * path) @ groups
    by_shared[..., shape.first : shape.first + groups.shape[1]] = lengths
    return by_pose, by_shared


def _add_upright(
    system: Normal, window: Window, shape: Geometry, shared: Shared, body: Body, weights: Weights,
    jacobians: np.ndarray,
) -> None:  # fmt: skip
    """Straight bodies are upright."""
    if body.thorax is None:
        return
    top = _joint_jacobians(shape, body, (body.thorax,))[0]
    vector = shape.joints[:, body.thorax] - shape.joints[:, list(body.ankles)].mean(1)
    by_pose = top - jacobians.mean(0)
    length = np.maximum(np.linalg.norm(vector, axis=1), 1e-3)
    direction = vector / length[:, None]
    residual = (direction - shared.up) / weights.upright
    squared, robust = (residual**2).sum(1), weights.robust
    straight = straightness(shape.joints, body) ** 20
    part = share(window.times, weights.upright_time) * straight
    system.cost += float((part * robust * np.log1p(squared / robust)).sum()) / 2
    weight = np.sqrt(part / (1 + squared / robust))
    scale = (weight / weights.upright)[:, None]
    along = np.einsum("ti,tin->tn", direction, by_pose)
    local = (by_pose - direction[..., None] * along[:, None]) / length[:, None, None]
    n = system.cross.shape[-1]
    feet = [_by_shared(shape, body, joint, n) for joint in body.ankles]
    by_shared = _by_shared(shape, body, body.thorax, n) - (feet[0] + feet[1]) / 2
    along = np.einsum("ti,tis->ts", direction, by_shared)
    by_shared = (by_shared - direction[..., None] * along[:, None]) / length[:, None, None]
    by_shared[..., UP] = -tangents(shared.up)
    _add(system, residual * weight[:, None], local * scale[..., None], by_shared * scale[..., None])
