"""Plausible bodies in plausible poses, seen by random cameras. No file is needed.

Bodies have published proportions, joints stay within published limits, and cameras vary in all
that a laboratory's do not: field of view, height, distance, the person's place in the image. Real
motion is richer: use this to try things out, to test, and to teach cameras, not in its place.

Sources: segment lengths: Drillis and Contini (1966), as printed in Winter, Biomechanics and Motor
Control of Human Movement, Fig. 4.1; ranges of motion: American Academy of Orthopaedic Surgeons,
Joint Motion (1965), rounded. The angles of the families of poses are our own choice.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from camerapose.core.camera import Camera, normalize
from camerapose.core.formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: Lengths over stature. Widths and head are those of Human3.6M's joints, which lie inside the body:
#: Drillis and Contini measured the outside.
FRACTIONS = {
    "thigh": 0.245, "shank": 0.246, "trunk": 0.288, "upper_arm": 0.186, "forearm": 0.146,
    "half_hips": 0.078, "half_shoulders": 0.092, "head": 0.108,
}  # fmt: skip
STATURE = (1.69, 0.09, 1.45, 2.05)  # mean, deviation, least, most (metres), adults of both sexes
VARIATION = 0.03  # relative deviation of each length from its fraction
SPINE_SHARE = 0.476  # of the way from pelvis to thorax

#: Least and most angle of each joint, degrees. Lean (forward), roll (to a side) and turn (about the
#: long axis) move the whole body.
LIMITS = {
    "lean": (-180, 180), "roll": (-180, 180), "turn": (-180, 180),
    "spine_flexion": (-25, 80), "spine_side": (-35, 35), "spine_twist": (-40, 40),
    "neck_flexion": (-40, 45), "neck_side": (-40, 40), "neck_twist": (-60, 60),
    "shoulder_flexion": (-50, 175), "shoulder_abduction": (-15, 150),
    "shoulder_rotation": (-70, 80), "elbow_flexion": (0, 145),
    "hip_flexion": (-20, 120), "hip_abduction": (-15, 45), "hip_rotation": (-35, 35),
    "knee_flexion": (0, 140),
}  # fmt: skip
_ONCE = [name for name in LIMITS if not name.startswith(("shoulder", "elbow", "hip", "knee"))]

#: Mean and deviation of each angle, degrees, where a family does not say otherwise.
_USUAL = {
    "lean": (3, 6), "roll": (0, 4), "turn": (0, 0),
    "spine_flexion": (8, 10), "spine_side": (0, 7), "spine_twist": (0, 9),
    "neck_flexion": (5, 14), "neck_side": (0, 9), "neck_twist": (0, 22),
    "shoulder_flexion": (15, 25), "shoulder_abduction": (12, 12), "shoulder_rotation": (10, 25),
    "elbow_flexion": (35, 30), "hip_flexion": (6, 10), "hip_abduction": (5, 6),
    "hip_rotation": (0, 10), "knee_flexion": (10, 10),
}  # fmt: skip


class _Family(NamedTuple):
    """Share of all poses; how far legs and arms swing against each other; angles of its own."""

    share: float
    swing: float
    angles: dict[str, tuple[float, float]]


FAMILIES = {
    "standing": _Family(0.20, 0, {}),
    "walking": _Family(0.20, 25, {"knee_flexion": (22, 14), "elbow_flexion": (40, 25)}),
    "reaching": _Family(0.16, 5, {
        "shoulder_flexion": (75, 55), "shoulder_abduction": (45, 45), "elbow_flexion": (40, 38),
        "spine_flexion": (12, 16), "spine_twist": (0, 15), "shoulder_rotation": (0, 40),
    }),
    "sitting": _Family(0.16, 0, {
        "lean": (-5, 12), "hip_flexion": (85, 14), "knee_flexion": (80, 25),
        "hip_abduction": (10, 10), "spine_flexion": (18, 16), "shoulder_flexion": (35, 25),
        "elbow_flexion": (65, 35), "hip_rotation": (0, 15),
    }),
    "squatting": _Family(0.08, 5, {
        "lean": (25, 15), "hip_flexion": (98, 18), "knee_flexion": (110, 22),
        "hip_abduction": (15, 12), "spine_flexion": (25, 18), "shoulder_flexion": (60, 35),
    }),
    "bending": _Family(0.06, 5, {
        "lean": (45, 22), "hip_flexion": (50, 20), "knee_flexion": (18, 15),
        "spine_flexion": (40, 18), "shoulder_flexion": (75, 35), "neck_flexion": (0, 20),
    }),
    "sport": _Family(0.10, 30, {
        "lean": (10, 20), "roll": (0, 15), "hip_flexion": (35, 32), "hip_abduction": (20, 15),
        "knee_flexion": (50, 38), "shoulder_flexion": (60, 60), "shoulder_abduction": (50, 45),
        "elbow_flexion": (55, 40), "spine_twist": (0, 18), "spine_side": (0, 14),
        "shoulder_rotation": (0, 40), "hip_rotation": (0, 16),
    }),
    "lying": _Family(0.04, 8, {
        "lean": (-90, 12), "turn": (0, 60), "hip_flexion": (25, 30), "knee_flexion": (35, 32),
        "shoulder_flexion": (40, 55), "shoulder_abduction": (35, 35), "elbow_flexion": (50, 38),
    }),
}  # fmt: skip

IMAGE_SIZES = ((1000, 1000), (640, 480), (1280, 720), (1920, 1080), (720, 1280), (480, 640))
NEAREST_JOINT = 0.7  # metres from the camera


def load(
    root: str | Path | None = None,
    *,
    n: int = 20_000,
    seed: int = 0,
    skeleton: str = "h36m_16",
    focal: Sequence[float | int] = (1, 4),
    pitch: Sequence[float | int] = (-10, 45),
    height: Sequence[float | int] = (0.2, 0.95),
) -> Poses:
    """N people, each in a pose and before a camera of its own; all joints are in the image.

    Args:
        root: not used; here because every data set has it.
        seed: the same seed gives the same poses.
        skeleton: "h36m_16" or "h36m_17", joints placed as Human3.6M's.
        focal: range of the focal length in normalised units, drawn log-uniformly.
        pitch: range of the camera's pitch in degrees; positive looks down.
        height: range of the person's size over the image's (of the tighter side).

    Returns:
        Poses with 3D, camera (no rotation, no distortion) and the label action: the family.
    """
    known = {s.name: s for s in (H36M_16, H36M_17)}
    if skeleton not in known:
        raise ValueError(
            f"synthetic poses come as {' or '.join(known)}, not as {skeleton!r}; for another "
            "joint format use poses.to(skeleton) on the result"
        )
    if n < 1:
        raise ValueError(f"n is {n}; ask for 1 pose or more")
    check_ranges(focal=focal, height=height)
    random = np.random.default_rng(seed)
    family = random.choice(len(FAMILIES), n, p=[f.share for f in FAMILIES.values()])
    joints = _forward_kinematics(_draw_angles(random, family), _draw_lengths(random, n))
    body = np.stack([joints[name] for name in known[skeleton].joints], axis=1)
    return seen(
        random, body, known[skeleton], focal=focal, pitch=pitch, height=height,
        labels={"action": np.array(list(FAMILIES))[family]},
    )  # fmt: skip


def check_ranges(**ranges: Sequence[float | int]) -> None:
    """ValueError for a range that is none."""
    for name, (low, high) in ranges.items():
        if not 0 < low <= high:
            raise ValueError(f"{name} is ({low}, {high}); give (least, most), both positive")


def seen(
    random: np.random.Generator,
    body: np.ndarray,
    skeleton: Skeleton,
    *,
    focal: Sequence[float | int],
    pitch: Sequence[float | int],
    height: Sequence[float | int],
    labels: dict[str, np.ndarray],
) -> Poses:
    """Bodies (n, joints, 3), each before a virtual camera of its own that has all of it in sight.

    Args:
        body: metres, y up; where it stands and where it looks do not matter.
        focal, pitch, height: as of `load`.
    """
    n = len(body)
    body = body @ np.swapaxes(_draw_view(random, n, pitch), 1, 2)
    size = np.array(IMAGE_SIZES)[random.integers(len(IMAGE_SIZES), size=n)]
    log_focal = random.uniform(*np.log(focal), n)
    camera = Camera(
        focal=np.exp(log_focal)[:, None] * np.ones((1, 2)),
        center=random.normal(0, 0.02, (n, 2)),
        translation=np.zeros((n, 3)),
    )
    place = _draw_place(random, body, camera, size, height)
    pose3d = (body + place[:, None]).astype(np.float32)
    camera = Camera(camera.focal, camera.center, pose3d[:, skeleton.root_index].copy())
    camera = camera.map(np.float32)
    return Poses(
        skeleton=skeleton,
        pose2d=camera.project(pose3d),
        confidence=np.ones(pose3d.shape[:2], np.float32),
        pose3d=pose3d,
        camera=camera,
        image_size=size.astype(np.float32),
        labels=labels,
    )


def files(root: str | Path | None = None, **_: object) -> list[Path]:
    """None: the poses depend on the options alone."""
    return []


def _draw_lengths(random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Metres (n,) of every segment; left and right share one."""
    mean, deviation, least, most = STATURE
    stature = _fold(random.normal(mean, deviation, n), least, most)
    vary = np.clip(random.normal(0, VARIATION, (len(FRACTIONS), n)), -0.1, 0.1)
    return {
        name: stature * fraction * (1 + v)
        for (name, fraction), v in zip(FRACTIONS.items(), vary, strict=True)
    }


def _draw_angles(random: np.random.Generator, family: np.ndarray) -> dict[str, np.ndarray]:
    """Radians (n, 2) of every angle within its limits: left and right, or twice the same.

    Left and right share some of what is drawn: arms and legs often do the same.
    """
    n = len(family)
    drawn = {}
    phase = random.uniform(0, 2 * np.pi, (n, 1))
    swing = np.array([f.swing for f in FAMILIES.values()])[family][:, None]
    side = np.array([[1.0, -1.0]])
    for name, (least, most) in LIMITS.items():
        table = np.array([f.angles.get(name, _USUAL[name]) for f in FAMILIES.values()])
        mean, deviation = table[family].T[..., None]
        noise = random.normal(size=(n, 3))
        shared, own = noise[:, :1], noise[:, 1:]
        both = shared * np.ones((1, 2)) if name in _ONCE else np.sqrt(0.5) * (shared + own)
        angle = mean + deviation * both
        if name == "hip_flexion":
            angle = angle + side * swing * np.sin(phase)
        elif name == "shoulder_flexion":
            angle = angle - side * swing * np.sin(phase)
        elif name == "knee_flexion":  # bends while its leg swings to the front
            angle = angle + swing * np.clip(side * np.cos(phase), 0, None)
        drawn[name] = np.deg2rad(_fold(angle, least, most))
    prone = (random.uniform(size=(n, 1)) < 0.4) & (family == list(FAMILIES).index("lying"))[:, None]
    drawn["lean"] = np.where(prone, -drawn["lean"], drawn["lean"])
    return drawn


def _fold(values: np.ndarray, least: float | int, most: float | int) -> np.ndarray:
    """Values beyond a limit come back by as much: no heap at the limit, as clipping would make."""
    width = most - least
    return least + width - np.abs((values - least) % (2 * width) - width)


def _turn(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) about x, y or z (0, 1, 2) by angles (n,)."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, axis, axis] = 1
    matrix[:, i, i] = matrix[:, j, j] = np.cos(angle)
    matrix[:, j, i] = np.sin(angle)
    matrix[:, i, j] = -matrix[:, j, i]
    return matrix


def _forward_kinematics(
    angles: dict[str, np.ndarray], length: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Joints (n, 3) by name, root at zero. The person's frame: x to its left, y up, z forward."""
    once = {name: angle[:, 0] for name, angle in angles.items()}
    pelvis = _turn(0, once["lean"]) @ _turn(2, once["roll"]) @ _turn(1, once["turn"])
    lower = _bend(pelvis, once, "spine", 0.5)
    upper = _bend(lower, once, "spine", 0.5)
    neck = _bend(upper, once, "neck", 1.0)
    trunk, head = length["trunk"], length["head"]
    joints = {"pelvis": np.zeros((len(pelvis), 3))}
    joints["spine"] = _along(lower, y=SPINE_SHARE * trunk)
    joints["thorax"] = joints["spine"] + _along(upper, y=(1 - SPINE_SHARE) * trunk)
    joints["neck_nose"] = joints["thorax"] + _along(neck, y=0.5 * head, z=0.38 * head)
    joints["head"] = joints["thorax"] + _along(neck, y=0.99 * head, z=0.14 * head)
    for column, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        own = {name: angle[:, column] for name, angle in angles.items()}
        arm = _swing(upper, own, "shoulder", sign)
        leg = _swing(pelvis, own, "hip", sign)
        fore = arm @ _turn(0, -own["elbow_flexion"])
        shin = leg @ _turn(0, own["knee_flexion"])
        shoulder = joints["thorax"] + _along(upper, x=sign * length["half_shoulders"])
        elbow = shoulder + _along(arm, y=-length["upper_arm"])
        hip = _along(pelvis, x=sign * length["half_hips"])
        knee = hip + _along(leg, y=-length["thigh"])
        joints |= {f"{side}_shoulder": shoulder, f"{side}_elbow": elbow}
        joints |= {f"{side}_hip": hip, f"{side}_knee": knee}
        joints[f"{side}_wrist"] = elbow + _along(fore, y=-length["forearm"])
        joints[f"{side}_ankle"] = knee + _along(shin, y=-length["shank"])
    return joints


def _along(rotation: np.ndarray, x=0.0, y=0.0, z=0.0) -> np.ndarray:
    """A vector (n, 3) given in a turned frame; each of x, y, z (n,) or one number."""
    vector = np.stack(np.broadcast_arrays(x, y, z, rotation[:, 0, 0])[:3], axis=1)
    return (rotation @ vector[:, :, None])[:, :, 0]


def _bend(frame: np.ndarray, angles: dict[str, np.ndarray], part: str, share: float) -> np.ndarray:
    """The frame beyond a share of the spine or the neck."""
    for axis, kind in ((0, "flexion"), (2, "side"), (1, "twist")):
        frame = frame @ _turn(axis, share * angles[f"{part}_{kind}"])
    return frame


def _swing(frame: np.ndarray, angles: dict[str, np.ndarray], joint: str, sign: float) -> np.ndarray:
    """The frame of an upper arm or a thigh, which hangs down its y axis."""
    frame = frame @ _turn(0, -angles[f"{joint}_flexion"])
    frame = frame @ _turn(2, sign * angles[f"{joint}_abduction"])
    return frame @ _turn(1, -sign * angles[f"{joint}_rotation"])


def _draw_view(random: np.random.Generator, n: int, pitch: Sequence[float | int]) -> np.ndarray:
    """Rotations (n, 3, 3) from the person's world (y up) to the camera's axes (y down)."""
    down = np.deg2rad(random.uniform(*pitch, n))
    tilt = np.deg2rad(random.normal(0, 3, n))
    to_camera = np.diag([1.0, -1.0, -1.0])
    return _turn(2, tilt) @ _turn(0, down) @ to_camera @ _turn(1, random.uniform(0, 2 * np.pi, n))


def _draw_place(
    random: np.random.Generator,
    body: np.ndarray,
    camera: Camera,
    size: np.ndarray,
    height: Sequence[float | int],
) -> np.ndarray:
    """Where the root stands (n, 3), so that the person fits into the image at a random place.

    A person who does not fit steps back and towards the middle until it does.
    """
    n = len(body)
    edge = -normalize(np.zeros((n, 1, 2)), size)[:, 0]  # half width (1) and half height
    low, high = body.min(axis=1), body.max(axis=1)
    share = random.uniform(*height, (n, 1))
    fits = camera.focal * (high - low)[:, :2] / (2 * edge * share)
    depth = np.maximum(fits.max(axis=1), NEAREST_JOINT - low[:, 2])
    away = random.uniform(-1, 1, (n, 2))
    away *= np.maximum(0, 1 - (camera.focal * (high - low)[:, :2] / depth[:, None]) / (2 * edge))
    place, todo = np.zeros((n, 3)), np.arange(n)
    while len(todo):
        z = depth[todo, None]
        middle = (away[todo] * edge[todo] - camera.center[todo]) / camera.focal[todo] * z
        place[todo] = np.concatenate([middle - (low + high)[todo, :2] / 2, z], axis=1)
        seen = camera[todo].project(body[todo] + place[todo, None])
        todo = todo[(np.abs(seen) >= 0.995 * edge[todo, None]).any(axis=(1, 2))]
        depth[todo] *= 1.05
        away[todo] *= 0.9
    return place
