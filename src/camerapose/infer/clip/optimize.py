"""Optimisation of a clip: one camera, one body per person, and their trajectories."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import DEFAULT_HEIGHT
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.infer.clip.camera import with_pose3d
from camerapose.infer.clip.contacts import detect_contacts
from camerapose.infer.clip.floor import lowest_level
from camerapose.infer.clip.measurements import (
    PersonRows,
    body_lengths,
    initial_motion,
    size_of,
    size_shares,
    window_of,
)
from camerapose.infer.clip.rows import (
    MAX_GAP,
    check_one_row_per_frame,
    check_poses,
    check_strength,
    frame_numbers,
    increasing,
    row_times,
    rows_by_person,
    shots,
)
from camerapose.infer.clip.solver import Prior, Problem, free_variables, solve
from camerapose.infer.clip.terms import FLOOR, FOCAL, UP, Body, Motion, Shared, Weights, Window
from camerapose.infer.clip.terms import geometry as joint_geometry

#: Standard deviations of the logarithms of the predicted focal length, of bone lengths, and of the
#: sizes of several people.
FOCAL_DEVIATION, LENGTH_DEVIATION, SIZE_DEVIATION = 0.3, 0.05, 0.06
#: Assumed pitch of the camera (degrees, positive is down), and the standard deviations of roll and
#: pitch (radians), those of `data.augment.cameras`.
PITCH, ROLL_DEVIATION, PITCH_DEVIATION = 10.0, 0.14, 0.31
#: Frames of a window, of its overlap with the next one, and of all windows that determine the
#: shared variables.
WINDOW, OVERLAP, SHARED_FRAMES = 300, 40, 1500
#: Weights for the shared variables. Errors of detectors and lifters have a constant part, which
#: does not average out over a clip. Feet that do not move and smooth trajectories would bias the
#: focal length, since it scales their errors.
SHARED_WEIGHTS = Weights(
    pixel_scale=3.0, pixel_time=1.0, lifter_time=3.0, upright_time=3.0, contact_speed=np.inf,
    sole=np.inf, root_acceleration=1.0, depth_acceleration=1.0, bone_acceleration=10.0,
)  # fmt: skip
#: Largest numbers of steps: without and with contacts; then of trajectories alone, likewise.
STEPS = (8, 8, 6, 4)
#: Number of times that contacts are detected in a trajectory.
CONTACT_PASSES = 3


@dataclass(frozen=True)
class ClipCamera:
    """The estimated camera of one shot.

    Attributes:
        frames: first and last frame number.
        focal: normalised units.
        focal_deviation: standard deviation of its logarithm; 0: given.
        ground: vertical and floor; None for a moving camera.
        pitch_deviation, roll_deviation: degrees.
        height_deviation: of the camera's height, metres; infinite without foot contacts.
    """

    frames: tuple[int, int]
    focal: float
    focal_deviation: float
    ground: Ground | None
    pitch_deviation: float
    roll_deviation: float
    height_deviation: float


def optimize(
    poses: Poses,
    *,
    fps: float | None = None,
    times: Any = None,
    focal_known: bool = False,
    height: float | None = None,
    static: bool = False,
    strength: float = 1.0,
    weights: Weights | None = None,
    shared_weights: Weights | None = None,
) -> tuple[Poses, list[ClipCamera]]:
    """Estimate cameras, bodies and movements of a clip together.

    Robust non-linear least squares over all frames and people of a shot for one focal length, one
    set of symmetric bone lengths per person, and the trajectories. The terms are the distances to
    the detections, to the lifter's bone directions, and the accelerations; for a static camera also
    the velocity and height of feet on the floor, and the lean of straight bodies, which determine
    the vertical and the floor. The principal point is the image centre.

    A frame that shares no person with the next one ends a shot. People who appear in a single frame
    are not changed. Windows of `WINDOW` frames bound the memory.

    Args:
        poses: numpy, with 3D and cameras.
        fps: frames per second, for poses without the label time; None: 30.
        times: time of each row, seconds; takes precedence over the label time.
        focal_known: the focal length of `poses.camera` is given.
        height: body height of all people, metres; 0: keep the network's sizes; None: the median
            person has `DEFAULT_HEIGHT`.
        static: the camera does not move.
        strength: 1 is the default, 2 smooths more, 0 returns the poses unchanged.
        weights: of the terms; None: the default.

    Returns:
        Poses of the same rows, with the labels contact_left and contact_right (probabilities) if
        the camera is static, and the camera of each shot.

    Raises:
        ValueError: negative strength, invalid rate or times, missing columns, or several poses per
            frame without the label person.
    """
    check_strength(strength)
    check_poses(poses, "pose3d", "camera")
    if strength == 0 or len(poses) == 0:
        return poses, []
    check_one_row_per_frame(poses)
    seconds = row_times(poses, fps, times)
    weights, shared_weights = weights or Weights(), shared_weights or SHARED_WEIGHTS
    weights = replace(
        weights,
        root_acceleration=weights.root_acceleration / strength**2,
        depth_acceleration=weights.depth_acceleration / strength**2,
        bone_acceleration=weights.bone_acceleration / strength**2,
    )
    result, contact = poses, np.zeros((len(poses), 2))
    cameras = []
    for rows in [np.arange(len(poses))] if static else shots(poses, seconds):
        shot = _Shot(poses, rows, seconds, focal_known, height, static, weights, shared_weights)
        if not shot.problem.windows:
            continue
        shot.estimate()
        result = shot.write(result, contact)
        cameras.append(shot.camera())
    if static and Body.of(poses.skeleton).ankles:
        labels = {"contact_left": contact[:, 0], "contact_right": contact[:, 1]}
        result = replace(result, labels={**result.labels, **labels})
    return result, cameras


class _Shot:
    """One shot: its problem and its solution."""

    def __init__(
        self,
        poses: Poses,
        rows: np.ndarray,
        seconds: np.ndarray,
        focal_known: bool,
        height: float | None,
        static: bool,
        weights: Weights,
        shared_weights: Weights,
    ):
        self.poses, self.body = poses, Body.of(poses.skeleton)
        frames = frame_numbers(poses)[rows]
        self.frames = int(frames.min()), int(frames.max())
        self.people = [rows[own] for own in rows_by_person(poses[rows])]
        self.movements = [
            movement
            for person, own in enumerate(self.people)
            for movement in _movements(poses, person, own, seconds)
        ]
        lengths, sizes = _bodies(poses, self.people, height, self.body)
        assert poses.camera is not None
        focal = np.log(np.asarray(poses.camera.focal, float)[rows]).mean(1)
        prior = Prior(
            log_focal=float(np.median(focal)),
            log_focal_deviation=0.0 if focal_known else FOCAL_DEVIATION,
            log_length=[np.log(own) for own in lengths],
            log_length_deviation=LENGTH_DEVIATION,
            size_share=[size_shares(own, self.body) for own in lengths],
            log_size_deviation=[SIZE_DEVIATION if len(lengths) > 1 and height is None else 0.0]
            * len(lengths),
            up=_up_of_pitch(PITCH),
            up_deviation=np.array([ROLL_DEVIATION, 1.0, PITCH_DEVIATION]),
        )
        self.shared = Shared(
            prior.log_focal, prior.up, 0.0, [own.copy() for own in prior.log_length]
        )
        self.windows = [
            window_of(
                poses,
                movement,
                lengths[movement.person][self.body.group],
                sizes[movement.person],
                static,
                self.body,
            )
            for movement in self.movements
        ]
        self.problem = Problem(self.body, weights, prior, self.windows)
        self.shared_weights = shared_weights
        self.covariance = np.zeros((self.problem.n_shared,) * 2)
        self.motions: list[Motion] = []

    def estimate(self) -> None:
        """Estimate the shared variables from some windows, then all trajectories."""
        parts = _chosen(self.windows)
        problem = replace(
            self.problem,
            weights=self.shared_weights,
            windows=[self.windows[i][a:b].aimed(self.shared.log_focal) for i, a, b in parts],
        )
        motions = [
            initial_motion(self.poses[self.movements[i].rows[a:b]], window, self.shared, self.body)
            for (i, a, b), window in zip(parts, problem.windows, strict=True)
        ]
        motions, self.shared, self.covariance = solve(
            problem, motions, self.shared, iterations=STEPS[0], free=free_variables(problem)
        )
        if any(w.has_floor for w in problem.windows) and self.body.ankles:
            for known in (False, True):
                problem = self._with_contacts(problem, motions, known)
                motions, self.shared, self.covariance = solve(
                    problem, motions, self.shared, iterations=STEPS[1], free=free_variables(problem)
                )
        self.motions = [self._trajectory(i) for i in range(len(self.windows))]

    def _with_contacts(self, problem: Problem, motions: list[Motion], known: bool) -> Problem:
        """Return the problem with contacts, and set the floor below them if it is not known."""
        windows = [
            w.aimed(self.shared.log_focal).with_contact(
                detect_contacts(w, m, self.shared, self.body, floor_known=known)
            )
            for w, m in zip(problem.windows, motions, strict=True)
        ]
        if not known:
            heights = []
            for w, m in zip(windows, motions, strict=True):
                feet = joint_geometry(w, m, self.shared, self.body).joints
                heights.append(w.ankle - feet[:, list(self.body.ankles)] @ self.shared.up)
            amounts = np.concatenate([w.contact for w in windows])
            level, self.shared.floor = lowest_level(np.concatenate(heights), amounts)
            parts = np.split(level, np.cumsum([len(w.times) for w in windows])[:-1])
            windows = [w.with_contact(w.contact * on) for w, on in zip(windows, parts, strict=True)]
        return replace(problem, windows=windows)

    def _trajectory(self, index: int) -> Motion:
        """Return the motion of a movement, window by window, with the shared variables fixed.

        Contacts do not change the distance from the camera: it is known better from the size in the
        image than from the direction of the legs along the line of sight, the lifter's largest
        error.
        """
        whole, rows = self.windows[index], self.movements[index].rows
        fixed = np.zeros(self.problem.n_shared, bool)
        result: Motion | None = None
        contact = np.zeros((len(whole.times), 2))
        for start, end in _spans(len(whole.times)):
            window = whole[start:end].aimed(self.shared.log_focal)
            motion = initial_motion(self.poses[rows[start:end]], window, self.shared, self.body)
            problem = replace(self.problem, windows=[window])
            motions, _, _ = solve(problem, [motion], self.shared, iterations=STEPS[2], free=fixed)
            for number in range(CONTACT_PASSES if window.has_floor and self.body.ankles else 0):
                window = window.with_contact(
                    detect_contacts(
                        window, motions[0], self.shared, self.body, floor_known=True, number=number
                    )
                )
                problem = replace(self.problem, windows=[window])
                motions, _, _ = solve(
                    problem, motions, self.shared, iterations=STEPS[3], free=fixed,
                    depth_fixed=True,
                )  # fmt: skip
            result = motions[0] if result is None else _blended(result, motions[0], start)
            contact[start:end] = np.where(
                np.arange(start, end)[:, None] < start + (OVERLAP // 2 if start else 0),
                contact[start:end], window.contact,
            )  # fmt: skip
        self.windows[index] = whole.with_contact(contact)
        assert result is not None
        return result

    def write(self, poses: Poses, contact: Float[np.ndarray, "n 2"]) -> Poses:
        """Return poses with the solution in the rows of this shot; set their contacts."""
        assert poses.camera is not None
        pose3d = np.array(poses.pose3d, float)
        focal, center = np.array(poses.camera.focal), np.array(poses.camera.center)
        for movement, window, motion in zip(
            self.movements, self.windows, self.motions, strict=True
        ):
            rows = movement.rows
            for first in range(0, len(rows), WINDOW):
                part = slice(first, first + WINDOW)
                shape = joint_geometry(window[part], motion[part], self.shared, self.body)
                pose3d[rows[part]] = shape.joints
            focal[rows], center[rows] = np.exp(self.shared.log_focal), window.center
            contact[rows] = window.contact
        root = pose3d[:, poses.skeleton.root_index]
        return with_pose3d(poses, pose3d - root[:, None], root, focal, center)

    def camera(self) -> ClipCamera:
        """Return the camera and its standard deviations."""
        variance = np.maximum(np.diag(self.covariance), 0)
        has_floor = any(w.has_floor for w in self.windows) and bool(self.body.ankles)
        ground = Ground.of(self.shared.up, self.shared.floor) if has_floor else None
        angles = np.degrees(np.sqrt(variance[UP]))
        return ClipCamera(
            frames=self.frames,
            focal=float(np.exp(self.shared.log_focal)),
            focal_deviation=float(np.sqrt(variance[FOCAL])),
            ground=ground,
            pitch_deviation=float(angles[1]),
            roll_deviation=float(angles[0]),
            height_deviation=float(np.sqrt(variance[FLOOR])) or np.inf,
        )


def _movements(
    poses: Poses, person: int, rows: np.ndarray, seconds: np.ndarray
) -> list[PersonRows]:
    """Return each continuous movement of a person; single frames are left out."""
    rows = rows[np.argsort(frame_numbers(poses)[rows], kind="stable")]
    times = increasing(seconds[rows])
    cuts = np.flatnonzero(np.diff(times) > MAX_GAP) + 1
    pieces = np.split(np.arange(len(rows)), cuts)
    return [PersonRows(person, rows[p], times[p]) for p in pieces if len(p) > 1]


def _bodies(
    poses: Poses, people: list[np.ndarray], height: float | None, body: Body
) -> tuple[list[np.ndarray], list[float]]:
    """Return bone lengths and heights of the people, metres."""
    lengths = [body_lengths(poses[rows], body) for rows in people]
    sizes = [size_of(poses[rows]) for rows in people]
    if not np.isfinite(sizes).all():
        return lengths, [DEFAULT_HEIGHT] * len(people)
    if height:
        factors = [height / max(size, 1e-9) for size in sizes]
    else:
        factor = 1.0 if height == 0 else DEFAULT_HEIGHT / max(float(np.median(sizes)), 1e-9)
        factors = [factor] * len(sizes)
    return (
        [own * factor for own, factor in zip(lengths, factors, strict=True)],
        [size * factor for size, factor in zip(sizes, factors, strict=True)],
    )


def _up_of_pitch(degrees: float) -> Float[np.ndarray, "3"]:
    angle = np.radians(degrees)
    return np.array([0.0, -np.cos(angle), -np.sin(angle)])


def _spans(n: int) -> list[tuple[int, int]]:
    """Return overlapping windows of n frames."""
    if n <= WINDOW + OVERLAP:
        return [(0, n)]
    starts = range(0, n - OVERLAP, WINDOW - OVERLAP)
    return [(start, min(start + WINDOW, n)) for start in starts]


def _chosen(windows: list[Window]) -> list[tuple[int, int, int]]:
    """Return (movement, first frame, end) of the windows that determine the shared variables."""
    spans = [(i, a, b) for i, w in enumerate(windows) for a, b in _spans(len(w.times))]
    total = sum(b - a for _, a, b in spans)
    if total <= SHARED_FRAMES:
        return spans
    count = max(1, round(len(spans) * SHARED_FRAMES / total))
    chosen = np.unique(np.linspace(0, len(spans) - 1, count).round().astype(int))
    return [spans[i] for i in chosen]


def _blended(before: Motion, after: Motion, start: int) -> Motion:
    """Return a motion that changes from one window to the next over their overlap."""
    overlap = len(before) - start
    share = np.linspace(0, 1, overlap + 2)[1:-1]

    def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        part = share.reshape(-1, *[1] * (a.ndim - 1))
        return np.concatenate([a[:start], (1 - part) * a[start:] + part * b[:overlap], b[overlap:]])

    direction = mix(before.direction, after.direction)
    return Motion(
        mix(before.place, after.place),
        mix(before.log_distance, after.log_distance),
        direction / np.linalg.norm(direction, axis=-1, keepdims=True),
    )
