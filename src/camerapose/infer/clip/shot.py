"""One shot of a clip: its problem, its windows, and their solution."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import DEFAULT_HEIGHT
from camerapose.core.bones import bone_lengths
from camerapose.core.camera import Camera
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.infer.clip.body import Body
from camerapose.infer.clip.contacts import detect_contacts
from camerapose.infer.clip.floor import MIN_CONTACT, lowest_level
from camerapose.infer.clip.ground import mean_vertical
from camerapose.infer.clip.measurements import (
    PersonRows,
    body_lengths,
    initial_motion,
    size_of,
    size_shares,
    window_of,
)
from camerapose.infer.clip.rows import MAX_GAP, frame_numbers, increasing, rows_by_person, spread
from camerapose.infer.clip.solver import Prior, Problem, free_variables, solve
from camerapose.infer.clip.term_weights import Weights
from camerapose.infer.clip.timing import share
from camerapose.infer.clip.variables import FLOOR, FOCAL, UP, Motion, Shared, Window
from camerapose.infer.clip.variables import geometry as joint_geometry
from camerapose.infer.clip.vertical import MAX_POSES, PRIOR_UP, Vertical, prior_deviation
from camerapose.infer.clip.workers import Workers

#: Standard deviations of the logarithms of the predicted focal length, of bone lengths, and of the
#: sizes of several people.
FOCAL_DEVIATION, LENGTH_DEVIATION, SIZE_DEVIATION = 0.3, 0.05, 0.06
#: Frames of a window, of its overlap with the next one, and of all windows that determine the
#: shared variables.
WINDOW, OVERLAP, SHARED_FRAMES = 300, 40, 1500
#: Weights for the shared variables. Errors of detectors and lifters have a constant part, which
#: does not average out over a clip. Feet that do not move and smooth trajectories would bias the
#: focal length, since it scales their errors.
SHARED_WEIGHTS = Weights(
    pixel_scale=3.0, pixel_time=1.0, lifter_time=3.0, contact_speed=np.inf,
    sole=np.inf, root_acceleration=1.0, depth_acceleration=1.0, bone_acceleration=10.0,
)  # fmt: skip
#: Largest numbers of steps: without and with contacts; then of trajectories alone, likewise.
STEPS = (8, 8, 6, 4)
#: A smaller standard deviation of the camera's height (metres) is that of a singular problem, in
#: which no foot is on the floor.
MIN_HEIGHT_DEVIATION = 1e-4
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


class Solution(NamedTuple):
    """Columns of the result, written window by window; only these grow with the clip.

    Attributes:
        pose3d: camera frame, metres.
        focal, center: normalised units.
        contact: probability that each foot is in contact.
    """

    pose3d: Float[np.ndarray, "n joints 3"]
    focal: Float[np.ndarray, "n 2"]
    center: Float[np.ndarray, "n 2"]
    contact: Float[np.ndarray, "n 2"]

    @staticmethod
    def of(poses: Poses) -> "Solution":
        """Return the columns of the poses before the optimisation."""
        assert poses.camera is not None
        return Solution(
            np.array(poses.pose3d, np.float32), np.array(poses.camera.focal, np.float32),
            np.array(poses.camera.center, np.float32), np.zeros((len(poses), 2)),
        )  # fmt: skip

    def poses(self, poses: Poses) -> Poses:
        """Return poses with these columns."""
        root = self.pose3d[:, poses.skeleton.root_index]
        return replace(poses, pose3d=self.pose3d, camera=Camera(self.focal, self.center, root))


class Shot:
    """One shot: its problem and its solution."""

    def __init__(
        self,
        poses: Poses,
        rows: np.ndarray,
        seconds: np.ndarray,
        focal_known: bool,
        height: float | None,
        static: bool,
        verticals: Vertical,
        weights: Weights,
        shared_weights: Weights,
        workers: Workers,
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
        some = [own[spread(len(own), SHARED_FRAMES)] for own in self.people]
        self.own = [np.median(bone_lengths(np.asarray(poses[own].pose3d), poses.skeleton), axis=0)
                    for own in some]  # fmt: skip
        lengths, sizes = _bodies(poses, some, height, self.body)
        assert poses.camera is not None
        focal = np.log(np.asarray(poses.camera.focal, float)[rows]).mean(1)
        up = mean_vertical(verticals[rows])
        prior = Prior(
            log_focal=float(np.median(focal)),
            log_focal_deviation=0.0 if focal_known else FOCAL_DEVIATION,
            log_length=[np.log(own) for own in lengths],
            log_length_deviation=LENGTH_DEVIATION,
            size_share=[size_shares(own, self.body) for own in lengths],
            log_size_deviation=[SIZE_DEVIATION if len(lengths) > 1 and height is None else 0.0]
            * len(lengths),
            up=PRIOR_UP,
            up_deviation=prior_deviation(up),
        )
        self.shared = Shared(prior.log_focal, up, 0.0, [own.copy() for own in prior.log_length])
        self.lengths, self.sizes = lengths, sizes
        self.static, self.verticals = static, verticals
        self.problem = Problem(self.body, weights, prior, [])
        self.shared_weights, self.workers = shared_weights, workers
        self.covariance = np.zeros((self.problem.n_shared,) * 2)

    @property
    def has_floor(self) -> bool:
        """Whether the floor and the vertical are estimated."""
        return self.static and bool(self.body.ankles)

    def window(self, span: "_Span") -> Window:
        """Return the measurements of some frames of a movement."""
        person, rows, times = self.movements[span.movement]
        frames = slice(span.start, span.end)
        lengths = self.lengths[person][self.body.group]
        part = PersonRows(person, rows[frames], times[frames])
        window = window_of(
            self.poses, part, lengths, self.own[person], self.sizes[person],
            self.verticals[part.rows], self.static,
        )  # fmt: skip
        return window.aimed(self.shared.log_focal)

    def _rows(self, span: "_Span") -> np.ndarray:
        return self.movements[span.movement].rows[span.start : span.end]

    def estimate(self, solution: Solution) -> None:
        """Estimate the shared variables from some windows, then write all trajectories."""
        parts = _chosen(_spans([len(movement.times) for movement in self.movements]))
        windows = [self.window(part) for part in parts]
        problem = replace(self.problem, weights=self._shared_weights(windows), windows=windows)
        motions = [
            initial_motion(self.poses[self._rows(part)], window, self.shared, self.body)
            for part, window in zip(parts, problem.windows, strict=True)
        ]
        motions = self._solve(problem, motions, STEPS[0])
        if self.has_floor:
            for known in (False, True):
                problem = self._with_contacts(problem, motions, known)
                motions = self._solve(problem, motions, STEPS[1])
        self._write_trajectories(solution)

    def _solve(self, problem: Problem, motions: list[Motion], iterations: int) -> list[Motion]:
        """Set the shared variables and their covariance, and return the motions."""
        motions, self.shared, self.covariance = solve(
            problem, motions, self.shared,
            iterations=iterations, free=free_variables(problem), each=self.workers.map,
        )  # fmt: skip
        return motions

    def _shared_weights(self, windows: list[Window]) -> Weights:
        """Return the weights for the shared variables; verticals count for 1 to `MAX_POSES`."""
        weights = self.shared_weights
        poses = sum(float(share(w.times, weights.vertical_time).sum()) for w in windows)
        factor = poses / float(np.clip(poses, 1.0, MAX_POSES))
        return replace(weights, vertical_time=weights.vertical_time * factor)

    def _with_contacts(self, problem: Problem, motions: list[Motion], known: bool) -> Problem:
        """Return the problem with contacts; set the floor if it is not known or nobody is on it."""
        windows = [
            w.aimed(self.shared.log_focal).with_contact(
                detect_contacts(w, m, self.shared, self.body, floor_known=known)
            )
            for w, m in zip(problem.windows, motions, strict=True)
        ]
        if not known or not any((w.contact > MIN_CONTACT).any() for w in windows):
            heights = []
            for w, m in zip(windows, motions, strict=True):
                feet = joint_geometry(w, m, self.shared, self.body).joints
                heights.append(w.ankle - feet[:, list(self.body.ankles)] @ self.shared.up)
            amounts = np.concatenate([w.contact for w in windows])
            level, self.shared.floor = lowest_level(np.concatenate(heights), amounts)
            parts = np.split(level, np.cumsum([len(w.times) for w in windows])[:-1])
            windows = [w.with_contact(w.contact * on) for w, on in zip(windows, parts, strict=True)]
        return replace(problem, windows=windows)

    def _write_trajectories(self, solution: Solution) -> None:
        """Write all movements, window by window, with the shared variables fixed."""
        for _, rows, _ in self.movements:
            solution.focal[rows], solution.center[rows] = np.exp(self.shared.log_focal), 0.0
        spans = _spans([len(movement.times) for movement in self.movements])
        solved = self.workers.map(self._solved, spans)
        pending: Motion | None = None
        for span, (window, motion) in zip(spans, solved, strict=True):
            rows = self._rows(span)
            motion = motion if pending is None else _blended(pending, motion)
            shape = joint_geometry(window[: span.own], motion[: span.own], self.shared, self.body)
            solution.pose3d[rows[: span.own]] = shape.joints
            kept = OVERLAP // 2 if span.start else 0
            solution.contact[rows[kept:]] = window.contact[kept:]
            pending = motion[span.own :] if span.own < len(rows) else None

    def _solved(self, span: "_Span") -> tuple[Window, Motion]:
        """Return a window with its contacts, and its motion."""
        window = self.window(span)
        rows = self._rows(span)
        fixed, each = np.zeros(self.problem.n_shared, bool), self.workers.serial
        motions = [initial_motion(self.poses[rows], window, self.shared, self.body)]
        problem = replace(self.problem, windows=[window])
        motions, _, _ = solve(
            problem, motions, self.shared, iterations=STEPS[2], free=fixed, each=each
        )
        for number in range(CONTACT_PASSES if self.has_floor else 0):
            contact = detect_contacts(
                window, motions[0], self.shared, self.body,
                floor_known=True, ledges=True, number=number,
            )  # fmt: skip
            window = window.with_contact(contact)
            problem = replace(self.problem, windows=[window])
            motions, _, _ = solve(
                problem, motions, self.shared, iterations=STEPS[3], free=fixed, each=each
            )
        return window, motions[0]

    def camera(self) -> ClipCamera:
        """Return the camera and its standard deviations."""
        variance = np.maximum(np.diag(self.covariance), 0)
        ground = Ground.of(self.shared.up, self.shared.floor) if self.has_floor else None
        angles, height = np.degrees(np.sqrt(variance[UP])), float(np.sqrt(variance[FLOOR]))
        return ClipCamera(
            frames=self.frames,
            focal=float(np.exp(self.shared.log_focal)),
            focal_deviation=float(np.sqrt(variance[FOCAL])),
            ground=ground,
            pitch_deviation=float(angles[1]),
            roll_deviation=float(angles[0]),
            height_deviation=height if height > MIN_HEIGHT_DEVIATION else np.inf,
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


class _Span(NamedTuple):
    """Frames of a movement that are solved together; the `own` first ones before the next span."""

    movement: int
    start: int
    end: int
    own: int


def _spans(frames: list[int]) -> list[_Span]:
    """Return overlapping spans of movements with these numbers of frames."""
    step, spans = WINDOW - OVERLAP, []
    for movement, n in enumerate(frames):
        starts = range(0, n - OVERLAP, step) if n > WINDOW + OVERLAP else range(1)
        for start in starts:
            last = start == starts[-1]
            end = n if last else start + WINDOW
            spans.append(_Span(movement, start, end, end - start if last else step))
    return spans


def _chosen(spans: list[_Span]) -> list[_Span]:
    """Return the spans that determine the shared variables."""
    total = sum(span.end - span.start for span in spans)
    if total <= SHARED_FRAMES:
        return spans
    count = max(1, round(len(spans) * SHARED_FRAMES / total))
    chosen = np.unique(np.linspace(0, len(spans) - 1, count).round().astype(int))
    return [spans[i] for i in chosen]


def _blended(before: Motion, after: Motion) -> Motion:
    """Return a motion that begins as `before`, over whose frames it changes to `after`."""
    overlap = len(before)
    share = np.linspace(0, 1, overlap + 2)[1:-1]

    def mix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        part = share.reshape(-1, *[1] * (a.ndim - 1))
        return np.concatenate([(1 - part) * a + part * b[:overlap], b[overlap:]])

    direction = mix(before.direction, after.direction)
    return Motion(
        mix(before.place, after.place),
        mix(before.log_distance, after.log_distance),
        direction / np.linalg.norm(direction, axis=-1, keepdims=True),
    )
