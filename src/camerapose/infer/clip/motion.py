"""After lifting: a known height, a known or shared camera, gaps, and people who move smoothly.

Each function takes `Poses` as `Predictor` gives them (numpy; labels person and, for what goes over
time, frame) and gives new ones. Metres, camera frame. `Live` is for frames as they come.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: Sum of the lengths of these bones of an adult, as a share of body height (Drillis and Contini,
#: 1966): thigh and shank of both legs, upper arm and forearm of both arms.
HEIGHT_BONES = {"knee": 0.245, "ankle": 0.246, "elbow": 0.172, "wrist": 0.157}
#: Height that people of unknown height are taken to have, metres: the mean of women and men.
USUAL_HEIGHT = 1.7
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


def with_usual_height(poses: Poses) -> Poses:
    """People of unknown height: all scaled alike, to `USUAL_HEIGHT` in the middle, place included.

    What a network makes of their sizes is a guess that drifts in training, by a fifth for people in
    photos (docs/log.md, "How tall people in photos are"). Who is taller than whom stays. The middle
    is the `middle_height`. Joints that tell no height stay as they are.
    """
    if len(poses) == 0 or not _height_bones(poses.skeleton):
        return poses
    return _scaled(poses, np.full(len(poses), USUAL_HEIGHT / max(middle_height(poses), 1e-9)))


def middle_height(poses: Poses) -> float:
    """Median over people of the median height of their poses, metres; NaN if nothing tells it."""
    if len(poses) == 0 or not _height_bones(poses.skeleton):
        return float("nan")
    heights = body_height(poses)
    return float(np.median([np.median(heights[rows]) for rows in _people(poses)]))


def check_height(height: float) -> None:
    """ValueError if nobody can be so tall, metres."""
    if not 0.3 <= height <= 2.8:
        raise ValueError(f"height is {height}; give metres, such as 1.75")


def body_height(poses: Poses) -> Float[np.ndarray, " n"]:
    """Body height that the lengths of arms and legs tell, whatever the posture, metres."""
    bones = _height_bones(poses.skeleton)
    if not bones:
        raise ValueError(f"{poses.skeleton.name} has no arm or leg to tell a height from")
    names = poses.skeleton.bone_names
    lengths = dict(zip(names, _lengths(poses.pose3d, poses.skeleton).T, strict=True))
    return sum(lengths[bone] for bone in bones) / sum(bones.values())


def _height_bones(skeleton: Skeleton) -> dict[str, float]:
    """The bones that tell its height, as shares of it."""
    pairs = [(f"{side}_{name}", share) for name, share in HEIGHT_BONES.items() for side in _SIDES]
    return {bone: share for bone, share in pairs if bone in skeleton.bone_names}


def with_focal(poses: Poses, focal: Any, center: Any = None) -> Poses:
    """The same people before a camera that is known: turned and placed anew, to fit their 2D.

    Args:
        focal: in pixels: a number, (x, y), or a row a pose.
        center: principal point in pixels; None: the image's middle.
    """
    size = poses.image_size
    if size is None:
        raise ValueError("these poses have no image size, so a focal length in pixels says nothing")
    focal = _a_row_each("focal", focal, len(poses))
    if not (np.isfinite(focal) & (focal > 0)).all():
        raise ValueError(f"focal is {focal[:1].tolist()}; give pixels above 0")
    middle = size / 2 if center is None else _a_row_each("center", center, len(poses))
    if not np.isfinite(middle).all():
        raise ValueError(f"center is {middle[:1].tolist()}; give pixels")
    width = size[:, :1]
    return refit(poses, focal * 2 / width, (2 * middle - size) / width)


def _a_row_each(name: str, values: Any, n: int) -> Float[np.ndarray, "n 2"]:
    values = np.asarray(values, float)
    if values.shape not in ((), (2,), (n, 1), (n, 2)):
        raise ValueError(
            f"{name} has shape {values.shape}; give a number, (x, y), or "
            f"a row for each of {n} poses"
        )
    return np.broadcast_to(values, (n, 2))


def common_camera(poses: Poses) -> Poses:
    """One camera for all people of a frame, so that they stand in one space.

    Each person's prediction has a camera of its own; here all get the mean of them (focal lengths:
    geometric), weighted by confidence, and are placed anew in it. Frames with one person stay.
    """
    _, inverse, count = np.unique(poses.labels["frame"], return_inverse=True, return_counts=True)
    together = np.flatnonzero(count[inverse] > 1)
    if not len(together):
        return poses
    focal, center = (mean[inverse] for mean in _frame_cameras(poses, inverse, len(count)))
    moved = refit(poses, focal, center)
    alone = np.setdiff1d(np.arange(len(poses)), together)
    return _restored(moved, poses, alone)


def _frame_cameras(poses: Poses, inverse: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean focal length and centre of each frame's people; `inverse` is each row's frame."""
    sure = np.maximum(poses.confidence, LEAST_CONFIDENCE).mean(1)
    total = np.bincount(inverse, sure, frames)

    def mean(column: np.ndarray) -> np.ndarray:
        sums = [np.bincount(inverse, sure * column[:, i], frames) for i in (0, 1)]
        return np.stack(sums, axis=1) / total[:, None]

    focal, center = np.asarray(poses.camera.focal, float), np.asarray(poses.camera.center, float)
    return np.exp(mean(np.log(focal))), mean(center)


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
    return placed(poses, relative, focal, center)


def placed(
    poses: Poses,
    relative: Float[np.ndarray, "n j 3"],
    focal: Float[np.ndarray, "n 2"],
    center: Float[np.ndarray, "n 2"],
) -> Poses:
    """Root-relative bodies in the place of the poses' own, each where it reprojects best."""
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

    First the camera of all, in which people are then placed anew (`refit`). Then, per person over
    the frames in which they were seen: directions of bones; with them and bones of the person's
    median lengths, left and right alike, a body, which is placed where it meets its 2D; and that
    place in the image and its depth. Each goes through `smoothed`, weighed by confidence. Rows stay
    what they were; `filled` adds some. People seen in one frame only are left alone.

    Args:
        fps: frames a second, for poses without label time; None: 30.
        strength: 1 is usual, 2 halves the frequencies that pass, 0 does nothing.
    """
    if strength < 0:
        raise ValueError(f"strength is {strength}; give 0 (nothing) or more")
    if strength == 0 or len(poses) == 0:
        return poses
    parts = [part for rows in _people(poses) for part in _movements(poses, rows, fps)]
    poses = _steady(poses, fps, strength)
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


def _steady(poses: Poses, fps: float | None, strength: float) -> Poses:
    """Cameras that change slowly, the same for all people of a frame; people placed anew in them.

    Where nobody goes on being seen from one frame to the next, the picture has been cut, and
    another camera begins. One frame by itself stays as it is.
    """
    frames, first, inverse = np.unique(
        poses.labels["frame"], return_index=True, return_inverse=True
    )
    focal, center = _frame_cameras(poses, inverse, len(frames))
    sure = np.maximum(poses.confidence, LEAST_CONFIDENCE).mean(1)[first, None]
    times, cutoff = _times(poses, first, fps), CUTOFF_CAMERA / strength
    cuts = np.flatnonzero((np.diff(times) > LONGEST_GAP) | ~_goes_on(poses, inverse)) + 1
    pieces = np.split(np.arange(len(frames)), cuts)
    for piece in pieces:
        focal[piece] = np.exp(smoothed(np.log(focal[piece]), times[piece], cutoff, sure[piece]))
        center[piece] = smoothed(center[piece], times[piece], cutoff, sure[piece])
    moved = refit(poses, focal[inverse], center[inverse])
    single = np.concatenate([[], *(piece for piece in pieces if len(piece) == 1)])
    return _restored(moved, poses, np.flatnonzero(np.isin(inverse, single)))


def _goes_on(poses: Poses, inverse: np.ndarray) -> np.ndarray:
    """For each frame but the last whether somebody in it is in the next frame, too."""
    _, person = np.unique(_numbers(poses), return_inverse=True)
    pairs = np.unique(np.stack([person, inverse], axis=1), axis=0)
    same = (pairs[1:, 0] == pairs[:-1, 0]) & (pairs[1:, 1] == pairs[:-1, 1] + 1)
    found = np.zeros(inverse.max(), bool)
    found[pairs[:-1][same][:, 1]] = True
    return found


def _restored(moved: Poses, poses: Poses, rows: np.ndarray) -> Poses:
    """`moved`, with some rows' 3D and camera as they were."""
    moved.pose3d[rows] = poses.pose3d[rows]
    for name in ("focal", "center", "translation"):
        getattr(moved.camera, name)[rows] = getattr(poses.camera, name)[rows]
    return moved


def _smooth_one(
    poses: Poses, times: np.ndarray, lengths: np.ndarray, strength: float
) -> Float[np.ndarray, "t j 3"]:
    skeleton, focal, center = poses.skeleton, poses.camera.focal, poses.camera.center
    weight = np.maximum(poses.confidence, LEAST_CONFIDENCE)
    children = [child for child, _ in skeleton.bones]
    direction = _unit(_bones(poses.pose3d, skeleton))
    direction = smoothed(direction, times, CUTOFF_BODY / strength, weight[:, children, None])
    body = from_bones(_unit(direction) * lengths[:, None], skeleton)
    root = fit_translation(body, poses.pose2d, weight, focal, center)
    sure = weight.mean(1, keepdims=True)
    place = root[:, :2] / root[:, 2:] * focal + center
    place = (smoothed(place, times, CUTOFF_PLACE / strength, sure) - center) / focal
    depth = np.exp(smoothed(np.log(root[:, 2:]), times, CUTOFF_DEPTH / strength, sure))
    return body + np.concatenate([place * depth, depth], axis=1)[:, None]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def filled(
    poses: Poses, longest: float, clock: tuple[np.ndarray, np.ndarray] | None = None
) -> Poses:
    """With rows for frames between two in which a person was seen, and the label `filled`.

    In between, directions and lengths of bones, place in the image, depth and camera change evenly
    over time. The 2D of such a row is the reprojection, with confidence 0: nothing was seen.
    `smooth` afterwards rounds what is filled in.

    Args:
        longest: absences of more seconds are left.
        clock: numbers and times (seconds) of all frames, for a video; None: every frame number
            that a step from one to the next leads to, at 30 a second where there are no times.

    Returns:
        Rows in the order of their frames; those that were there keep theirs.
    """
    if len(poses) == 0:
        return poses
    frames, times = _all_frames(poses) if clock is None else clock
    when = np.interp(poses.labels["frame"], frames, times)
    parts = [replace(poses, labels={**poses.labels, "filled": np.zeros(len(poses), bool)})]
    for rows in _people(poses):
        rows = rows[np.argsort(poses.labels["frame"][rows], kind="stable")]
        for before, after in zip(rows, rows[1:], strict=False):
            first, last = np.searchsorted(frames, poses.labels["frame"][[before, after]])
            inside = slice(first + 1, last)
            if last - first > 1 and when[after] - when[before] <= longest + 1e-9:
                share = (times[inside] - when[before]) / (when[after] - when[before])
                between = _between(poses[[before]], poses[[after]], share)
                labels = {"frame": frames[inside], "filled": np.ones(len(share), bool)}
                if "time" in between.labels:
                    labels["time"] = times[inside]
                parts.append(replace(between, labels={**between.labels, **labels}))
    whole = Poses.cat(parts)
    return whole[np.argsort(whole.labels["frame"], kind="stable")]


def _all_frames(poses: Poses) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and times of the frames that follow from those with somebody in them."""
    seen, first = np.unique(poses.labels["frame"], return_index=True)
    steps = np.diff(seen)
    frames = np.arange(seen[0], seen[-1] + 1, steps.min() if len(steps) else 1)
    frames = np.unique(np.concatenate([frames, seen]))
    times = np.asarray(poses.labels.get("time", poses.labels["frame"] / 30.0), float)[first]
    return frames, np.interp(frames, seen, times)


def _between(before: Poses, after: Poses, share: np.ndarray) -> Poses:
    """Poses at shares of the way from one (of one row) to another."""
    skeleton, share = before.skeleton, share[:, None]

    def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.asarray(a, float), np.asarray(b, float)
        part = share.reshape(-1, *[1] * (a.ndim - 1))
        return (1 - part) * a + part * b

    bones = [_bones(np.asarray(p.pose3d, float), skeleton) for p in (before, after)]
    lengths = mix(*(np.linalg.norm(b, axis=-1) for b in bones))
    body = from_bones(_unit(mix(*map(_unit, bones))) * lengths[..., None], skeleton)
    cameras, roots = (before.camera, after.camera), (before.root_position, after.root_position)
    focal = np.exp(mix(*(np.log(c.focal) for c in cameras)))
    center = mix(*(c.center for c in cameras))
    depth = np.exp(mix(*(np.log(r[:, 2:]) for r in roots)))
    seen_at = (
        r[:, :2] / r[:, 2:] * c.focal + c.center for r, c in zip(roots, cameras, strict=True)
    )
    root = np.concatenate([(mix(*seen_at) - center) / focal * depth, depth], axis=1)
    rows = before[np.zeros(len(share), int)]
    rows = _replaced(rows, body, root, focal, center)
    seen = np.float32(rows.reprojection)
    refined = None if before.refined2d is None else seen
    return replace(rows, pose2d=seen, refined2d=refined, confidence=np.zeros_like(rows.confidence))


class OneEuro:
    """The One-Euro filter: calm where little moves, quick where much does; knows no future.

    Casiez, Roussel and Vogel, CHI 2012. A first-order low pass whose cutoff rises with speed.

    Args:
        cutoff: hertz, at rest. Less is calmer.
        speed: hertz more for each unit a second that the values move.
        speed_cutoff: hertz, of the speed itself.
    """

    def __init__(self, cutoff: float, speed: float = 0.0, speed_cutoff: float = 1.0):
        self.cutoff, self.speed, self.speed_cutoff = cutoff, speed, speed_cutoff
        self._time: float | None = None

    def __call__(self, values: np.ndarray, time: float) -> np.ndarray:
        """The values of this moment (seconds), filtered; of the first moment, as they are."""
        values = np.asarray(values, float)
        if self._time is None:
            self._value, self._rate = values, np.zeros_like(values)
        elif time > self._time:
            step = time - self._time
            rate = (values - self._value) / step
            self._rate = self._rate + _share(self.speed_cutoff, step) * (rate - self._rate)
            size = np.linalg.norm(self._rate, axis=-1, keepdims=True)
            share = _share(self.cutoff + self.speed * size, step)
            self._value = self._value + share * (values - self._value)
        else:
            return self._value
        self._time = time
        return self._value


def _share(cutoff: Any, step: float) -> Any:
    """Of a new value in a first-order low pass."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * step))


class Live:
    """What `smooth` does, for people as they come: One-Euro filters, no future, hardly any delay.

    One filter of the camera for all, and of each person's joints around the root, place in the
    image and depth. Somebody unseen for more than `LONGEST_GAP` begins anew.

    Args:
        strength: 1 is usual, 2 is calmer and slower, 0 does nothing.
    """

    def __init__(self, strength: float = 1.0):
        if strength < 0:
            raise ValueError(f"strength is {strength}; give 0 (nothing) or more")
        self.strength = strength
        self._camera: OneEuro | None = None
        self._people: dict[int, tuple[float, dict[str, OneEuro]]] = {}

    def __call__(self, poses: Poses, time: float) -> Poses:
        """The people of one frame."""
        if self.strength == 0 or len(poses) == 0:
            return poses
        poses = common_camera(poses)
        calm = 1 / self.strength
        self._camera = self._camera or OneEuro(CUTOFF_CAMERA * calm)
        camera = np.concatenate([np.log(poses.camera.focal[0]), poses.camera.center[0]])
        camera = np.broadcast_to(self._camera(camera, time), (len(poses), 4))
        poses = refit(poses, np.exp(camera[:, :2]), camera[:, 2:])
        focal, center = poses.camera.focal, poses.camera.center
        relative = np.asarray(poses.pose3d - poses.root_position[:, None], float)
        root = np.asarray(poses.root_position, float)
        place = root[:, :2] / root[:, 2:] * focal + center
        for row, person in enumerate(_numbers(poses).tolist()):
            last, filters = self._people.get(person, (-np.inf, {}))
            if time - last > LONGEST_GAP:
                filters = {"body": OneEuro(1.0 * calm, 8.0), "place": OneEuro(1.0 * calm, 40.0),
                           "depth": OneEuro(0.3 * calm, 15.0)}  # fmt: skip
            self._people[person] = (time, filters)
            relative[row] = filters["body"](relative[row], time)
            place[row] = filters["place"](place[row], time)
            root[row, 2:] = np.exp(filters["depth"](np.log(root[row, 2:]), time))
        root[:, :2] = (place - center) / focal * root[:, 2:]
        return _replaced(poses, relative, root, focal, center)


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
