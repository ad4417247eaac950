"""After lifting: a known height, a known or shared camera, and people who move smoothly.

Each function takes `Poses` as `Predictor` gives them (numpy; labels person and, for `smooth`,
frame) and gives new ones. Metres, camera frame.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.camera import Camera
from camerapose.poses import Poses
from camerapose.skeleton import Skeleton

#: Sum of the lengths of these bones of an adult, as a share of body height (Drillis and Contini,
#: 1966): thigh and shank of both legs, upper arm and forearm of both arms.
HEIGHT_BONES = {"knee": 0.245, "ankle": 0.246, "elbow": 0.172, "wrist": 0.157}
#: Faster movement than this (hertz) is smoothed away: of bones, of the place in the image, of the
#: depth, of the camera.
CUTOFF_BODY, CUTOFF_PLACE, CUTOFF_DEPTH, CUTOFF_CAMERA = 5.0, 8.0, 1.0, 0.3
#: A gap longer than this (seconds) ends a movement: what follows is smoothed by itself.
LONGEST_GAP = 1.0
#: Joints of less confidence weigh as if they had this.
LEAST_CONFIDENCE = 0.05
NEAREST_ROOT = 0.3


def with_height(poses: Poses, height: float) -> Poses:
    """Each person scaled to this height, place included: what the image shows stays the same.

    A camera alone cannot tell a child nearby from an adult far away; one length can.

    Args:
        height: of every person, metres, standing, without shoes.
    """
    check_height(height)
    scale = np.ones(len(poses))
    for rows in _people(poses):
        scale[rows] = height / np.median(body_height(poses[rows]))
    return _scaled(poses, scale)


def check_height(height: float) -> None:
    """ValueError if nobody can be so tall, metres."""
    if not 0.3 <= height <= 2.8:
        raise ValueError(f"height is {height}; give metres, such as 1.75")


def body_height(poses: Poses) -> Float[np.ndarray, " n"]:
    """Body height that the lengths of arms and legs tell, whatever the posture, metres."""
    pairs = [(f"{side}_{name}", share) for name, share in HEIGHT_BONES.items() for side in _SIDES]
    lengths = dict(
        zip(poses.skeleton.bone_names, _lengths(poses.pose3d, poses.skeleton).T, strict=True)
    )
    known = [(lengths[bone], share) for bone, share in pairs if bone in lengths]
    if not known:
        raise ValueError(f"{poses.skeleton.name} has no arm or leg to tell a height from")
    return sum(length for length, _ in known) / sum(share for _, share in known)


def with_focal(poses: Poses, focal: Any, center: Any = None) -> Poses:
    """The same people before a camera that is known: turned and placed anew, to fit their 2D.

    Args:
        focal: in pixels: a number, (x, y), or a row a pose.
        center: principal point in pixels; None: the image's middle.
    """
    size = poses.image_size
    if size is None:
        raise ValueError("these poses have no image size, so a focal length in pixels says nothing")
    focal = np.broadcast_to(np.asarray(focal, float), (len(poses), 2))
    if not (np.isfinite(focal) & (focal > 0)).all():
        raise ValueError(f"focal is {focal[:1].tolist()}; give pixels above 0")
    middle = size / 2 if center is None else np.broadcast_to(np.asarray(center, float), size.shape)
    width = size[:, :1]
    return refit(poses, focal * 2 / width, (2 * middle - size) / width)


def static_camera(poses: Poses) -> Poses:
    """One camera for all frames, the median of those predicted; people are placed anew in it.

    For a camera that stands still, so that people don't swim in depth with its focal length.
    """
    if len(poses) == 0:
        return poses
    focal = np.exp(np.median(np.log(poses.camera.focal), axis=0))
    center = np.median(poses.camera.center, axis=0)
    shape = poses.camera.focal.shape
    return refit(poses, np.broadcast_to(focal, shape), np.broadcast_to(center, shape))


def refit(poses: Poses, focal: Float[np.ndarray, "n 2"], center: Float[np.ndarray, "n 2"]) -> Poses:
    """The same people as seen by other cameras (normalised units).

    How a person looks follows from the direction they are seen from, so the pose turns with the
    ray to their place (`VirtualCamera.turn`); then it is placed where it reprojects best.
    """
    seen = poses.confidence > 0
    count = np.maximum(seen.sum(1), 1)[:, None]
    place = (poses.pose2d * seen[..., None]).sum(1) / count
    before = turn(place, poses.camera.focal, poses.camera.center)
    after = turn(place, focal, center)
    relative = poses.pose3d - poses.root_position[:, None]
    relative = relative @ before @ np.swapaxes(after, 1, 2)
    points = poses.pose2d if poses.refined2d is None else poses.refined2d
    weight = np.maximum(poses.confidence, LEAST_CONFIDENCE)
    translation = fit_translation(relative, points, weight, focal, center)
    return _replaced(poses, relative, translation, focal, center)


def turn(
    place: Float[np.ndarray, "n 2"],
    focal: Float[np.ndarray, "n 2"],
    center: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n 3 3"]:
    """`VirtualCamera.turn` in numpy: from a camera that looks at the place to that of the image."""
    x, y = ((place - center) / focal).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    forward = np.stack([x, y, one], 1) / np.sqrt(1 + x * x + y * y)[:, None]
    right = np.stack([one, zero, -x], 1) / np.sqrt(1 + x * x)[:, None]
    return np.stack([right, np.cross(forward, right), forward], axis=2)


def fit_translation(
    relative: Float[np.ndarray, "n j 3"],
    points: Float[np.ndarray, "n j 2"],
    weight: Float[np.ndarray, "n j"],
    focal: Float[np.ndarray, "n 2"],
    center: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n 3"]:
    """`camera_net.fit_translation` in numpy: where a pose stands so that it projects to points."""
    weight = (weight / weight.sum(1, keepdims=True))[..., None]
    rays = (points - center[:, None]) / focal[:, None]
    shift = rays * relative[..., 2:] - relative[..., :2]
    ray_mean, shift_mean = (weight * rays).sum(1), (weight * shift).sum(1)
    ray_spread, shift_spread = rays - ray_mean[:, None], shift - shift_mean[:, None]
    covariance = (weight * ray_spread * shift_spread).sum((1, 2))
    variance = np.maximum((weight * ray_spread**2).sum((1, 2)), 1e-8)
    depth = np.clip(-covariance / variance, NEAREST_ROOT, 1000.0)[:, None]
    return np.concatenate([shift_mean + depth * ray_mean, depth], axis=1)


def smooth(poses: Poses, fps: float | None = None, strength: float = 1.0) -> Poses:
    """People who move as bodies do: no jitter, bones of one length.

    Per person, over the frames in which they were seen: first the camera, in which they are then
    placed anew (`refit`); then directions of bones, place in the image and depth. Each goes
    through `smoothed`, weighed by confidence. Bones get the person's median length, left and right
    alike. Rows stay what they were; nothing is filled in. People seen in one frame only are left
    alone.

    Args:
        fps: frames a second, for poses without label time; None: 30.
        strength: 1 is usual, 2 halves the frequencies that pass, 0 does nothing.
    """
    if strength < 0:
        raise ValueError(f"strength is {strength}; give 0 (nothing) or more")
    if strength == 0 or len(poses) == 0:
        return poses
    parts = [part for rows in _people(poses) for part in _movements(poses, rows, fps)]
    poses = _steady(poses, parts, strength)
    pose3d = np.array(poses.pose3d, float)
    for rows, times in parts:
        own = np.flatnonzero(_numbers(poses) == _numbers(poses)[rows[0]])
        lengths = _own_lengths(poses[own])
        pose3d[rows] = _smooth_one(poses[rows], times, lengths, strength)
    root = pose3d[:, poses.skeleton.root_index]
    camera = poses.camera
    return _replaced(poses, pose3d - root[:, None], root, camera.focal, camera.center)


def _movements(
    poses: Poses, rows: np.ndarray, fps: float | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and times of each stretch in which a person was seen, in order; not of single frames."""
    rows = rows[np.argsort(poses.labels["frame"][rows], kind="stable")]
    times = _times(poses, rows, fps)
    cuts = np.flatnonzero(np.diff(times) > LONGEST_GAP) + 1
    pieces = np.split(np.arange(len(rows)), cuts)
    return [(rows[piece], times[piece]) for piece in pieces if len(piece) > 1]


def _steady(poses: Poses, parts: list[tuple[np.ndarray, np.ndarray]], strength: float) -> Poses:
    """Cameras that change slowly; people placed anew in them."""
    focal, center = np.array(poses.camera.focal, float), np.array(poses.camera.center, float)
    cutoff = CUTOFF_CAMERA / strength
    for rows, times in parts:
        sure = np.maximum(poses.confidence[rows], LEAST_CONFIDENCE).mean(1, keepdims=True)
        focal[rows] = np.exp(smoothed(np.log(focal[rows]), times, cutoff, sure))
        center[rows] = smoothed(center[rows], times, cutoff, sure)
    moved = refit(poses, focal, center)
    still = np.setdiff1d(np.arange(len(poses)), np.concatenate([[], *(r for r, _ in parts)]))
    if len(still):  # seen once: as predicted
        moved.pose3d[still] = poses.pose3d[still]
        moved.camera.translation[still] = poses.camera.translation[still]
    return moved


def _smooth_one(
    poses: Poses, times: np.ndarray, lengths: np.ndarray, strength: float
) -> Float[np.ndarray, "t j 3"]:
    skeleton, root = poses.skeleton, poses.root_position
    weight = np.maximum(poses.confidence, LEAST_CONFIDENCE)
    children = [child for child, _ in skeleton.bones]
    bones = _bones(poses.pose3d, skeleton)
    direction = bones / np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
    direction = smoothed(direction, times, CUTOFF_BODY / strength, weight[:, children, None])
    direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)
    body = from_bones(direction * lengths[:, None], skeleton)
    sure = weight.mean(1, keepdims=True)
    focal, center = poses.camera.focal, poses.camera.center
    place = root[:, :2] / root[:, 2:] * focal + center
    place = (smoothed(place, times, CUTOFF_PLACE / strength, sure) - center) / focal
    # a body of other lengths looks the same size where it stands farther in proportion
    size = _lengths(poses.pose3d, skeleton).sum(1)
    depth = np.log(root[:, 2] * lengths.sum() / size)[:, None]
    depth = np.exp(smoothed(depth, times, CUTOFF_DEPTH / strength, sure))
    return body + np.concatenate([place * depth, depth], axis=1)[:, None]


def smoothed(
    values: Float[np.ndarray, "t ..."],
    times: Float[np.ndarray, " t"],
    cutoff: float,
    weight: Float[np.ndarray, "t ..."] | float = 1.0,
) -> Float[np.ndarray, "t ..."]:
    """Values over time without what moves faster than `cutoff` (hertz).

    The Rauch-Tung-Striebel smoother (AIAA Journal, 1965) of points that move on with constant
    velocity but for random acceleration, whose strength is set by the cutoff. Steps in time need
    not be even. No delay, and no memory of the first frame.

    Args:
        times: seconds, rising.
        weight: of each value; one of weight 0.25 counts as measured with twice the error.
    """
    values = np.asarray(values, float)
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(steps) else 1.0
    density = usual * (2 * np.pi * cutoff) ** 4  # of the acceleration, for errors of size one
    error = 1 / np.broadcast_to(np.asarray(weight, float), values.shape)
    # forward: state (position, velocity), covariance (a, b; b, c)
    x, v = values[0], np.zeros_like(values[0])
    a, b, c = error[0], np.zeros_like(x), np.full_like(x, density * usual * 100)
    kept = [(x, v, a, b, c)]
    for k, dt in enumerate(steps, start=1):
        px, pv = x + dt * v, v
        pa = a + 2 * dt * b + dt * dt * c + density * dt**3 / 3
        pb = b + dt * c + density * dt**2 / 2
        pc = c + density * dt
        gain_x, gain_v = pa / (pa + error[k]), pb / (pa + error[k])
        off = values[k] - px
        x, v = px + gain_x * off, pv + gain_v * off
        a, b, c = (1 - gain_x) * pa, (1 - gain_x) * pb, pc - gain_v * pb
        kept.append((x, v, a, b, c))
    # backward
    found = [x]
    for k in range(len(steps) - 1, -1, -1):
        dt = steps[k]
        fx, fv, a, b, c = kept[k]
        pa = a + 2 * dt * b + dt * dt * c + density * dt**3 / 3
        pb = b + dt * c + density * dt**2 / 2
        pc = c + density * dt
        determinant = pa * pc - pb * pb
        m11, m12, m21, m22 = a + dt * b, b, b + dt * c, c  # covariance times transition'
        g11, g12 = (m11 * pc - m12 * pb) / determinant, (m12 * pa - m11 * pb) / determinant
        g21, g22 = (m21 * pc - m22 * pb) / determinant, (m22 * pa - m21 * pb) / determinant
        dx, dv = x - (fx + dt * fv), v - fv
        x, v = fx + g11 * dx + g12 * dv, fv + g21 * dx + g22 * dv
        found.append(x)
    return np.stack(found[::-1])


def from_bones(bones: Float[np.ndarray, "t b 3"], skeleton: Skeleton) -> Float[np.ndarray, "t j 3"]:
    """Root-relative joints of bone vectors in the order of `skeleton.bones`."""
    above = {child: (bone, parent) for bone, (child, parent) in enumerate(skeleton.bones)}
    found: dict[int, np.ndarray] = {skeleton.root_index: np.zeros_like(bones[:, 0])}

    def place(joint: int) -> np.ndarray:
        if joint not in found:
            bone, parent = above[joint]
            found[joint] = place(parent) + bones[:, bone]
        return found[joint]

    return np.stack([place(joint) for joint in range(skeleton.n_joints)], axis=1)


_SIDES = ("left", "right")


def _numbers(poses: Poses) -> np.ndarray:
    """Whose each row is."""
    return poses.labels.get("person", np.zeros(len(poses), int))


def _people(poses: Poses) -> list[np.ndarray]:
    """Rows of each person."""
    person = _numbers(poses)
    return [np.flatnonzero(person == number) for number in np.unique(person)]


def _times(poses: Poses, rows: np.ndarray, fps: float | None) -> np.ndarray:
    """Seconds of the rows; rising even where a video's clock stands still."""
    if "time" in poses.labels:
        times = np.asarray(poses.labels["time"][rows], float)
    else:
        times = np.asarray(poses.labels["frame"][rows], float) / (fps or 30.0)
    steps = np.diff(times)
    usual = np.median(steps[steps > 0]) if (steps > 0).any() else 1 / (fps or 30.0)
    return times[0] + np.concatenate([[0], np.cumsum(np.maximum(steps, usual / 10))])


def _own_lengths(poses: Poses) -> np.ndarray:
    """A person's median length of each bone, left and right alike."""
    lengths = np.median(_lengths(poses.pose3d, poses.skeleton), axis=0)
    return (lengths + lengths[list(poses.skeleton.bone_mirror)]) / 2


def _bones(pose3d: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    children, parents = zip(*skeleton.bones, strict=True)
    return pose3d[:, list(children)] - pose3d[:, list(parents)]


def _lengths(pose3d: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    return np.linalg.norm(_bones(np.asarray(pose3d, float), skeleton), axis=-1)


def _scaled(poses: Poses, scale: np.ndarray) -> Poses:
    camera = replace(
        poses.camera, translation=np.float32(poses.camera.translation * scale[:, None])
    )
    return replace(poses, pose3d=np.float32(poses.pose3d * scale[:, None, None]), camera=camera)


def _replaced(poses: Poses, relative: Any, root: Any, focal: Any, center: Any) -> Poses:
    camera = Camera(np.float32(focal), np.float32(center), np.float32(root))
    return replace(poses, pose3d=np.float32(relative + root[:, None]), camera=camera)
