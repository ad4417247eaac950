"""Synthetic bodies in plausible poses, seen by random cameras; no files are needed.

Bodies have published proportions, joint angles stay within published limits, and cameras vary in
field of view, height, distance and position of the person in the image, unlike those of a
laboratory. Use it for experiments, tests and training of the camera branch, not instead of real
motion, which is more varied.

Sources: segment lengths: Drillis and Contini (1966), as printed in Winter, Biomechanics and Motor
Control of Human Movement, Fig. 4.1; ranges of motion: American Academy of Orthopaedic Surgeons,
Joint Motion (1965), rounded. The angles of the families of poses are our own choice.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from camerapose.core.camera import Camera, normalize
from camerapose.core.joint_formats import H36M_16, H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: Lengths relative to stature. Widths and head are those of Human3.6M's joints, which are inside
#: the body; Drillis and Contini measured at the skin.
FRACTIONS = {
    "thigh": 0.245, "shank": 0.246, "trunk": 0.288, "upper_arm": 0.186, "forearm": 0.146,
    "half_hips": 0.078, "half_shoulders": 0.092, "head": 0.108,
}  # fmt: skip
STATURE = (
    1.69,
    0.09,
    1.45,
    2.05,
)  # mean, deviation, minimum, maximum (metres), adults of both sexes
VARIATION = 0.03  # relative deviation of each length from its fraction
SPINE_SHARE = 0.476  # position of the spine joint between pelvis and thorax

#: Minimum and maximum of each angle, degrees. Lean (forward), roll (sideways) and turn (about the
#: long axis) rotate the whole body.
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

#: Mean and deviation of each angle, degrees, unless a family overrides it.
_DEFAULT = {
    "lean": (3, 6), "roll": (0, 4), "turn": (0, 0),
    "spine_flexion": (8, 10), "spine_side": (0, 7), "spine_twist": (0, 9),
    "neck_flexion": (5, 14), "neck_side": (0, 9), "neck_twist": (0, 22),
    "shoulder_flexion": (15, 25), "shoulder_abduction": (12, 12), "shoulder_rotation": (10, 25),
    "elbow_flexion": (35, 30), "hip_flexion": (6, 10), "hip_abduction": (5, 6),
    "hip_rotation": (0, 10), "knee_flexion": (10, 10),
}  # fmt: skip


class _Family(NamedTuple):
    """Share of all poses, amplitude of the swing of legs and arms, and overridden angles."""

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
MIN_DEPTH = 0.7  # of all joints, metres
#: Default ranges of the random cameras, see `load`.
CAMERA_RANGES: dict[str, Sequence[float | int]] = {
    "focal": (1, 4),
    "pitch": (-10, 45),
    "height": (0.2, 0.95),
}


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
    """Generate people, each with its own pose and camera; all joints are inside the image.

    Args:
        root: unused; part of the interface of data sets.
        n: number of poses.
        seed: random seed.
        skeleton: "h36m_16" or "h36m_17", with joints placed as in Human3.6M.
        focal: range of the focal length in normalised units, drawn log-uniformly.
        pitch: range of the camera's pitch in degrees; positive is down.
        height: range of the size of the person relative to the image (in the tighter direction).

    Returns:
        Poses with 3D, camera (no rotation, no distortion) and the label action: the family.
    """
    known = {s.name: s for s in (H36M_16, H36M_17)}
    if skeleton not in known:
        raise ValueError(
            f"synthetic poses are available as {' or '.join(known)}, not as {skeleton!r}; for "
            "another joint format use poses.to(skeleton) on the result"
        )
    if n < 1:
        raise ValueError(f"n is {n}; give 1 or more")
    check_ranges(focal=focal, height=height)
    random = np.random.default_rng(seed)
    family = random.choice(len(FAMILIES), n, p=[f.share for f in FAMILIES.values()])
    joints = _forward_kinematics(_draw_angles(random, family), _draw_lengths(random, n))
    body = np.stack([joints[name] for name in known[skeleton].joints], axis=1)
    return from_random_cameras(
        random, body, known[skeleton], focal=focal, pitch=pitch, height=height,
        labels={"action": np.array(list(FAMILIES))[family]},
    )  # fmt: skip


def check_ranges(**ranges: Sequence[float | int]) -> None:
    """Raise ValueError for ranges that are not positive and ascending."""
    for name, (low, high) in ranges.items():
        if not 0 < low <= high:
            raise ValueError(f"{name} is ({low}, {high}); give (minimum, maximum), both positive")


def from_random_cameras(
    random: np.random.Generator,
    body: np.ndarray,
    skeleton: Skeleton,
    *,
    focal: Sequence[float | int],
    pitch: Sequence[float | int],
    height: Sequence[float | int],
    labels: dict[str, np.ndarray],
) -> Poses:
    """Return bodies, each seen completely by its own random camera.

    Args:
        random: generator of the cameras.
        body: joints (n, joints, 3), metres, y up; position and heading do not matter.
        skeleton: joint format of the bodies.
        focal: see `load`.
        pitch: see `load`.
        height: see `load`.
        labels: labels of the poses.
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
    root = _draw_roots(random, body, camera, size, height)
    pose3d = (body + root[:, None]).astype(np.float32)
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
    """Return no files: the poses depend only on the options."""
    return []


def _draw_lengths(random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Return the length (n,) of every segment in metres, equal on both sides."""
    mean, deviation, minimum, maximum = STATURE
    stature = _fold(random.normal(mean, deviation, n), minimum, maximum)
    vary = np.clip(random.normal(0, VARIATION, (len(FRACTIONS), n)), -0.1, 0.1)
    return {
        name: stature * fraction * (1 + v)
        for (name, fraction), v in zip(FRACTIONS.items(), vary, strict=True)
    }


def _draw_angles(random: np.random.Generator, family: np.ndarray) -> dict[str, np.ndarray]:
    """Return every angle (n, 2) in radians, within its limits, for left and right side.

    The sides are correlated, since arms and legs often move alike; angles of the trunk are equal.
    """
    n = len(family)
    drawn = {}
    phase = random.uniform(0, 2 * np.pi, (n, 1))
    swing = np.array([f.swing for f in FAMILIES.values()])[family][:, None]
    side = np.array([[1.0, -1.0]])
    for name, (minimum, maximum) in LIMITS.items():
        table = np.array([f.angles.get(name, _DEFAULT[name]) for f in FAMILIES.values()])
        mean, deviation = table[family].T[..., None]
        noise = random.normal(size=(n, 3))
        shared, own = noise[:, :1], noise[:, 1:]
        both = shared * np.ones((1, 2)) if name in _ONCE else np.sqrt(0.5) * (shared + own)
        angle = mean + deviation * both
        if name == "hip_flexion":
            angle = angle + side * swing * np.sin(phase)
        elif name == "shoulder_flexion":
            angle = angle - side * swing * np.sin(phase)
        elif name == "knee_flexion":  # bends while the leg swings forward
            angle = angle + swing * np.clip(side * np.cos(phase), 0, None)
        drawn[name] = np.deg2rad(_fold(angle, minimum, maximum))
    prone = (random.uniform(size=(n, 1)) < 0.4) & (family == list(FAMILIES).index("lying"))[:, None]
    drawn["lean"] = np.where(prone, -drawn["lean"], drawn["lean"])
    return drawn


def _fold(values: np.ndarray, minimum: float | int, maximum: float | int) -> np.ndarray:
    """Return values reflected at the limits; clipping would accumulate values there."""
    width = maximum - minimum
    return minimum + width - np.abs((values - minimum) % (2 * width) - width)


def _rotation(axis: int, angle: np.ndarray) -> np.ndarray:
    """Return rotations (n, 3, 3) about x, y or z (0, 1, 2) by angles (n,)."""
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
    """Return joints (n, 3) by name, root at zero; x to the person's left, y up, z forward."""
    once = {name: angle[:, 0] for name, angle in angles.items()}
    pelvis = _rotation(0, once["lean"]) @ _rotation(2, once["roll"]) @ _rotation(1, once["turn"])
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
        fore = arm @ _rotation(0, -own["elbow_flexion"])
        shin = leg @ _rotation(0, own["knee_flexion"])
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
    """Return a vector (n, 3) given in a rotated frame; x, y, z are (n,) or a number."""
    vector = np.stack(np.broadcast_arrays(x, y, z, rotation[:, 0, 0])[:3], axis=1)
    return (rotation @ vector[:, :, None])[:, :, 0]


def _bend(frame: np.ndarray, angles: dict[str, np.ndarray], part: str, share: float) -> np.ndarray:
    """Return the frame after bending by a share of the angles of spine or neck."""
    for axis, kind in ((0, "flexion"), (2, "side"), (1, "twist")):
        frame = frame @ _rotation(axis, share * angles[f"{part}_{kind}"])
    return frame


def _swing(frame: np.ndarray, angles: dict[str, np.ndarray], joint: str, sign: float) -> np.ndarray:
    """Return the frame of an upper arm or thigh, which extends along its negative y axis."""
    frame = frame @ _rotation(0, -angles[f"{joint}_flexion"])
    frame = frame @ _rotation(2, sign * angles[f"{joint}_abduction"])
    return frame @ _rotation(1, -sign * angles[f"{joint}_rotation"])


def _draw_view(random: np.random.Generator, n: int, pitch: Sequence[float | int]) -> np.ndarray:
    """Return rotations (n, 3, 3) from the person's world (y up) to camera axes (y down)."""
    down = np.deg2rad(random.uniform(*pitch, n))
    tilt = np.deg2rad(random.normal(0, 3, n))
    to_camera = np.diag([1.0, -1.0, -1.0])
    return (
        _rotation(2, tilt)
        @ _rotation(0, down)
        @ to_camera
        @ _rotation(1, random.uniform(0, 2 * np.pi, n))
    )


def _draw_roots(
    random: np.random.Generator,
    body: np.ndarray,
    camera: Camera,
    size: np.ndarray,
    height: Sequence[float | int],
) -> np.ndarray:
    """Return root positions (n, 3) such that the person is inside the image, at a random place.

    People who do not fit are moved away and towards the image centre until they do.
    """
    n = len(body)
    edge = -normalize(np.zeros((n, 1, 2)), size)[:, 0]  # half width (1) and half height
    low, high = body.min(axis=1), body.max(axis=1)
    share = random.uniform(*height, (n, 1))
    fits = camera.focal * (high - low)[:, :2] / (2 * edge * share)
    depth = np.maximum(fits.max(axis=1), MIN_DEPTH - low[:, 2])
    offset = random.uniform(-1, 1, (n, 2))
    offset *= np.maximum(0, 1 - (camera.focal * (high - low)[:, :2] / depth[:, None]) / (2 * edge))
    root, todo = np.zeros((n, 3)), np.arange(n)
    while len(todo):
        z = depth[todo, None]
        center = (offset[todo] * edge[todo] - camera.center[todo]) / camera.focal[todo] * z
        root[todo] = np.concatenate([center - (low + high)[todo, :2] / 2, z], axis=1)
        points = camera[todo].project(body[todo] + root[todo, None])
        todo = todo[(np.abs(points) >= 0.995 * edge[todo, None]).any(axis=(1, 2))]
        depth[todo] *= 1.05
        offset[todo] *= 0.9
    return root
