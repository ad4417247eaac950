"""Gait events and parameters of walking people, from joint positions.

Heel strikes and toe-offs are the moments at which a foot is farthest in front of and behind the
pelvis (Zeni, Richards and Higginson, Gait & Posture 2008). The foot is the heel for heel strikes
and the big toe for toe-offs where the joint format has them, otherwise the ankle.

Only walking is analysed: at least `MIN_STEPS` consecutive steps in which the feet alternate and the
striking foot is in front.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from camerapose.core.anatomy import LIMB_LENGTHS, body_height, has_limbs
from camerapose.core.angles import TOES, joint
from camerapose.core.bones import unit
from camerapose.core.skeleton import Skeleton

#: Least swing of a foot relative to the pelvis, in lengths of thigh and shank: a third of that of
#: slow walking.
MIN_SWING = 0.25
#: Fewest consecutive steps that count as walking.
MIN_STEPS = 3
#: Lowest frame rate: at 5 frames per second, steps come out 12% too short (2% at 7.5).
MIN_FPS = 7.5
#: Shortest and longest time from a heel strike to the next one of the other foot, seconds.
STEP_TIME = (0.25, 1.25)
#: Standard deviations of the smoothing of foot positions and of the heading, seconds.
SMOOTH_FOOT, SMOOTH_HEADING = 0.04, 0.4

Curve = Float[np.ndarray, " t"]


class Event(NamedTuple):
    """The moment at which a foot begins (heel_strike) or ends (toe_off) its contact.

    Attributes:
        kind: "heel_strike" or "toe_off".
        side: "right" or "left".
        row: the moment in frames, between two frames in general.
    """

    kind: str
    side: str
    row: float


class Step(NamedTuple):
    """A step, from the heel strike of the other foot to that of this one; lengths in metres.

    Attributes:
        side: the foot in front, "right" or "left".
        row: moment of its heel strike in frames.
        length: distance of the feet at that moment along the heading.
        width: distance of the feet at that moment to the side; negative for crossed feet.
        time: duration of the step, seconds.
        speed: horizontal speed of the pelvis over this step and the one before, metres per second;
            NaN for the first step.
    """

    side: str
    row: float
    length: float
    width: float
    time: float
    speed: float

    @property
    def cadence(self) -> float:
        """Steps per minute."""
        return 60 / self.time


class Gait(NamedTuple):
    """Events and steps of walking, in the order of time."""

    events: list[Event]
    steps: list[Step]


def has_gait(skeleton: Skeleton) -> bool:
    """Return whether a skeleton has hips, knees and ankles."""
    names = {f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle")}
    return names <= set(skeleton.joints) and has_limbs(skeleton)


def analyse(points: Float[np.ndarray, "t joints 3"], fps: float, skeleton: Skeleton) -> Gait:
    """Return the gait events and steps of one person; empty without walking or below `MIN_FPS`.

    A step begins and ends with heel strikes of different feet, `STEP_TIME` apart. The heading is
    where the pelvis faces, so treadmills work as well. Swings and steps shorter than `MIN_SWING`
    do not count. The first and the last swing of a sequence are incomplete and are left out.

    Args:
        points: metres, y up, right-handed, evenly spaced frames; NaN in frames without the person.
        fps: frames per second.
        skeleton: with hips, knees and ankles (`has_gait`).
    """
    events: list[Event] = []
    steps: list[Step] = []
    present = np.isfinite(points).all((1, 2)) & (fps >= MIN_FPS)
    for first, last in _runs(present):
        if last - first >= max(3, fps * STEP_TIME[0]):
            own = _analyse(np.asarray(points[first:last], float), fps, skeleton)
            events += [event._replace(row=event.row + first) for event in own.events]
            steps += [step._replace(row=step.row + first) for step in own.steps]
    return Gait(events, steps)


def _analyse(points: np.ndarray, fps: float, skeleton: Skeleton) -> Gait:
    """Return the gait in frames without gaps."""
    body = {
        name: _smoothed(_required(points, skeleton, name), SMOOTH_FOOT * fps)
        for name in ("pelvis", *(f"{side}_hip" for side in ("left", "right")))
    }
    across = _smoothed(body["right_hip"] - body["left_hip"], SMOOTH_HEADING * fps)
    across = unit(across * [1.0, 0.0, 1.0])
    heading = np.cross([0.0, 1.0, 0.0], across)
    leg = LIMB_LENGTHS["knee"] + LIMB_LENGTHS["ankle"]
    swing = MIN_SWING * leg * float(np.median(body_height(points, skeleton)))
    events, heels = [], {}
    for side in ("right", "left"):
        ankle = _required(points, skeleton, f"{side}_ankle")
        heel, toes = (
            joint(points, skeleton, f"{side}_heel"),
            [joint(points, skeleton, f"{side}_{name}") for name in TOES],
        )
        toe = next((place for place in toes if place is not None), ankle)
        heels[side] = _smoothed(ankle if heel is None else heel, SMOOTH_FOOT * fps)
        ahead = ((heels[side] - body["pelvis"]) * heading).sum(-1)
        events += [Event("heel_strike", side, row) for row in _extrema(ahead, swing)]
        behind = -((_smoothed(toe, SMOOTH_FOOT * fps) - body["pelvis"]) * heading).sum(-1)
        events += [Event("toe_off", side, row) for row in _extrema(behind, swing)]
    events.sort(key=lambda event: event.row)
    strikes = [event for event in events if event.kind == "heel_strike"]
    steps = _steps(strikes, heels, body["pelvis"], heading, fps)
    return _walking(events, [step for step in steps if step.length > swing], fps)


def _walking(events: list[Event], steps: list[Step], fps: float) -> Gait:
    """Return the steps that belong to `MIN_STEPS` consecutive ones, and the events around them."""
    bouts: list[list[Step]] = []
    for step in steps:
        if bouts and abs(bouts[-1][-1].row - (step.row - step.time * fps)) < 1e-6:
            bouts[-1].append(step)
        else:
            bouts.append([step._replace(speed=float("nan"))])
    bouts = [bout for bout in bouts if len(bout) >= MIN_STEPS]
    spans = [
        (bout[0].row - 1.5 * bout[0].time * fps, bout[-1].row + bout[-1].time * fps)
        for bout in bouts
    ]
    inside = [event for event in events if any(a <= event.row <= b for a, b in spans)]
    return Gait(inside, [step for bout in bouts for step in bout])


def _steps(
    strikes: list[Event],
    heels: dict[str, np.ndarray],
    pelvis: np.ndarray,
    heading: np.ndarray,
    fps: float,
) -> list[Step]:
    """Return the steps between consecutive heel strikes of different feet."""
    across = np.cross(heading, [0.0, 1.0, 0.0])
    steps: list[Step] = []
    for before, strike in zip(strikes, strikes[1:], strict=False):
        time = (strike.row - before.row) / fps
        if before.side == strike.side or not STEP_TIME[0] <= time <= STEP_TIME[1]:
            continue
        apart = _at(heels[strike.side] - heels[before.side], strike.row)
        length, width = apart @ _at(heading, strike.row), apart @ _at(across, strike.row)
        speed = float("nan")
        if steps and steps[-1].row == before.row:
            start = before.row - steps[-1].time * fps
            way = (_at(pelvis, strike.row) - _at(pelvis, start))[[0, 2]]
            speed = float(np.linalg.norm(way) / ((strike.row - start) / fps))
        width = width if strike.side == "right" else -width
        steps.append(Step(strike.side, strike.row, float(length), float(width), time, speed))
    return steps


def _required(points: np.ndarray, skeleton: Skeleton, name: str) -> np.ndarray:
    place = joint(points, skeleton, name)
    if place is None:
        raise ValueError(f"{skeleton.name} has no {name}, which gait analysis needs")
    return place


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return first and one past the last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _smoothed(values: Float[np.ndarray, "t d"], frames: float) -> Float[np.ndarray, "t d"]:
    """Return values convolved with a Gaussian of a standard deviation in frames."""
    if frames < 0.3:
        return values
    reach = min(int(np.ceil(3 * frames)), len(values) - 1)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    # Point reflection at the ends keeps the slope.
    start = 2 * values[:1] - values[reach:0:-1]
    end = 2 * values[-1:] - values[-2 : -reach - 2 : -1]
    padded = np.concatenate([start, values, end])
    columns = [np.convolve(column, weight / weight.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1)


def _extrema(values: Curve, swing: float) -> list[float]:
    """Return the maxima that exceed the minima before and after them by `swing`, in frames."""
    found: list[float] = []
    low = high = 0
    rising: bool | None = None
    for i, value in enumerate(values):
        high, low = (i if value > values[high] else high), (i if value < values[low] else low)
        if rising is not False and value < values[high] - swing:
            if rising:
                found.append(_vertex(values, high))
            rising, low = False, i
        elif rising is not True and value > values[low] + swing:
            rising, high = True, i
    return found


def _vertex(values: Curve, i: int) -> float:
    """Return the position of the maximum of the parabola through a maximum and its neighbours."""
    a, b, c = values[i - 1], values[i], values[i + 1]
    curvature = a - 2 * b + c
    return float(i + (0.5 * (a - c) / curvature if curvature < 0 else 0.0))


def _at(values: Float[np.ndarray, "t d"], row: float) -> Float[np.ndarray, " d"]:
    """Return values between two frames, interpolated linearly."""
    before = min(int(row), len(values) - 2)
    return values[before] + (row - before) * (values[before + 1] - values[before])
