"""Clips of one person: 2D as detected, and 3D ground truth."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from camerapose.core import joint_formats
from camerapose.core.anatomy import body_height
from camerapose.core.attachment import ATTACHED
from camerapose.core.bones import bone_vectors, pose_from_bones
from camerapose.core.camera import Camera
from camerapose.core.conversion import joint_weights
from camerapose.core.joint_formats import BODY_46, H36M_17
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.data.augment import detector_errors, joint_definitions
from camerapose.data.augment.clips import draw_camera
from camerapose.data.augment.posture import extend_legs
from camerapose.data.cache import cached
from camerapose.data.datasets import anny, human36m, open_mocap
from camerapose.data.datasets.human36m.calibration import cameras
from camerapose.data.level_view import to_world
from camerapose.data.retarget import retarget
from camerapose.io.arrays import read_arrays
from camerapose.train.temporal.config import TemporalConfig

#: Frames per second of Human3.6M and of `open_mocap`.
HUMAN36M_FPS, OPEN_FPS = 50.0, 30.0
#: Range of the factor by which clips are played faster, and frames skipped, by frame rate.
SPEED = (0.85, 1.2)
STRIDES = {HUMAN36M_FPS: (1, 1, 2, 2, 3, 4), OPEN_FPS: (1, 1, 1, 2)}
#: Time constant of simulated detector errors, seconds, and frames of an exchange of sides.
CORRELATION, SWAP_FRAMES = 0.1, (1, 6)
#: Changes of Human3.6M's own cameras: standard deviation of the rotation about the vertical
#: (radians), and range of the factor of the distance.
YAW, DISTANCE = 0.5, (0.8, 1.25)
_H36M_JOINTS = [BODY_46.index(f"{joint}_h36m") for joint in H36M_17.joints]


class Clip(NamedTuple):
    """One clip in the joints of the lifter.

    Attributes:
        poses: 2D as detected, and true 3D and camera.
        time: seconds.
        kind: "clean", "detected", "simulated" or "open".
    """

    poses: Poses
    time: Float[np.ndarray, " t"]
    kind: str


class Motion(NamedTuple):
    """A recording.

    Attributes:
        poses: as seen by its camera.
        rotation: from the world (z up) to the camera.
        time: seconds.
        fps: frames per second.
    """

    poses: Poses
    rotation: Float[np.ndarray, "3 3"]
    time: Float[np.ndarray, " t"]
    fps: float

    @property
    def skeleton(self) -> Skeleton:
        """Joints of the recording."""
        return self.poses.skeleton

    def world(self, rows: np.ndarray) -> Float[np.ndarray, "t joints 3"]:
        """Return some frames in axes of the world, metres, the origin at the camera."""
        return self.poses.pose3d[rows] @ self.rotation


def labelled(skeleton: Skeleton, source: Skeleton) -> np.ndarray:
    """Return which joints of a skeleton have ground truth in the joints of `source`."""
    return np.array([weights is not None for weights in joint_weights(source, skeleton)])


class Clips:
    """Random clips of the data sets of a configuration.

    Args:
        config: settings.
        skeleton: joints of the lifter.
        held_out: take the held-out subjects instead of those for training.
    """

    def __init__(self, config: TemporalConfig, skeleton: Skeleton, held_out: bool):
        self.config, self.skeleton, data = config, skeleton, config.data
        self.own: list[Motion] = []
        self.open: list[Motion] = []
        if data.human36m is not None:
            subjects = data.human36m_subjects
            if held_out:
                subjects = tuple(s for s in data.held_out if s in human36m.TRAIN)
            if subjects:
                self.own = _human36m(data.human36m, subjects, data.detections)
        if data.open_mocap is not None and data.open_share > 0:
            self.open, self.bodies = _open(data.open_mocap, data.held_out, held_out)
        if not self.own and not self.open:
            where = "held out" if held_out else "to train on"
            raise ValueError(f"no data {where}; set data.human36m or data.open_mocap to a folder")

    def draw(self, rng: np.random.Generator) -> Clip:
        """Return a random clip."""
        data = self.config.data
        shares = {"open": data.open_share * bool(self.open)}
        if self.own:
            shares |= {"clean": data.clean_share, "detected": data.detected_share}
            shares["simulated"] = max(1 - sum(shares.values()), 0.0)
        else:
            shares = {"open": 1.0}
        names, values = list(shares), np.array(list(shares.values()))
        kind = str(rng.choice(names, p=values / values.sum()))
        motions = self.open if kind == "open" else self.own
        lengths = np.array([len(motion.time) for motion in motions], float)
        motion = motions[rng.choice(len(motions), p=lengths / lengths.sum())]
        rows = _rows(motion, data.frames, rng)
        time = (motion.time[rows] - motion.time[rows[0]]) / rng.uniform(*SPEED)
        world, skeleton = motion.world(rows), motion.skeleton
        if kind == "open":
            world, skeleton = self._on_body(world, rng), BODY_46
        else:
            world = other_body(world, skeleton, data.limb, data.stature, rng)
        if kind in ("simulated", "open"):
            poses = self._simulate(world, time, skeleton, rng)
        else:
            poses = self._seen(world, motion, rows, kind == "detected", rng)
        return Clip(poses, time, kind)

    def _on_body(
        self, world: Float[np.ndarray, "t 17 3"], rng: np.random.Generator
    ) -> Float[np.ndarray, "t 46 3"]:
        """Return a motion of `open_mocap` with a random body and straighter legs."""
        data = self.config.data
        body = self.bodies[rng.integers(len(self.bodies))][None]
        root = world[:, H36M_17.root_index]
        motion = world - root[:, None]
        size = np.median(body_height(motion, H36M_17)) / body_height(body[:, _H36M_JOINTS], H36M_17)
        pose = retarget(motion, np.repeat(body, len(world), 0), ATTACHED.parents)
        seed, factor = int(rng.integers(2**31)), rng.uniform(*data.shortening)
        return straightened(pose, root / size, factor, seed) * np.exp(data.stature * rng.normal())

    def _seen(
        self,
        world: np.ndarray,
        motion: Motion,
        rows: np.ndarray,
        detected: bool,
        rng: np.random.Generator,
    ) -> Poses:
        """Return a motion as a camera like that of its recording sees it.

        Args:
            detected: with the errors of the detections in the recording's images, relative to the
                person's spread.
        """
        old, skeleton = motion.poses[rows], motion.skeleton
        assert old.camera is not None
        middle = world[:, skeleton.root_index].mean(0)
        angle = YAW * rng.normal()
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        turned = (world - middle) @ turn.T + middle * rng.uniform(*DISTANCE)
        pose3d = (turned @ motion.rotation.T).astype(np.float32)
        points = old.camera.project(pose3d)
        confidence = np.ones(points.shape[:2], np.float32)
        if detected:
            clean, confidence = old.camera.project(old.pose3d), old.confidence
            spread = [
                np.sqrt(((p - p.mean(1, keepdims=True)) ** 2).sum(-1).mean(1))[:, None, None]
                for p in (points, clean)
            ]
            points = points + (old.pose2d - clean) * spread[0] / spread[1]
        root = pose3d[:, skeleton.root_index]
        camera = replace(old.camera, translation=root)
        poses = Poses(skeleton, points.astype(np.float32), confidence, pose3d, camera)
        return _converted(poses, self.skeleton)

    def _simulate(
        self, world: np.ndarray, time: np.ndarray, skeleton: Skeleton, rng: np.random.Generator
    ) -> Poses:
        """Return a motion as a random camera sees it and a detector detects it."""
        config, n = self.config, len(world)
        moving = rng.random() < config.data.moving
        camera = draw_camera(world, time, config.cameras, rng, moving=moving)
        pose3d = camera.to_camera(world).astype(np.float32)
        depth = np.maximum(pose3d[..., 2:], 0.25)
        points = pose3d[..., :2] / depth * camera.focal
        limit = np.array([1.0, camera.aspect])
        inside = (np.abs(points) <= limit).all(-1) & (pose3d[..., 2] > 0.25)
        wide, within = np.zeros((n, 46, 2), np.float32), np.zeros((n, 46), bool)
        columns = _H36M_JOINTS if skeleton == H36M_17 else list(range(46))
        wide[:, columns], within[:, columns] = points, inside
        form = "h36m_16" if rng.random() < 0.7 else "h36m_17"
        if skeleton == BODY_46:
            formats = joint_definitions.FORMATS
            chances = np.array(list(formats.values()))
            form = str(rng.choice(list(formats), p=chances / chances.sum()))
        provided = torch.tensor(joint_definitions.provided(form)).expand(n, -1)
        step = float(np.median(np.diff(time))) if n > 1 else 0.04
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pose2d, score = detector_errors.detect(
            torch.from_numpy(wide), provided, torch.from_numpy(within), config.detector, generator,
            correlation=float(np.exp(-step / CORRELATION)),
        )  # fmt: skip
        detected = Poses(BODY_46, pose2d.numpy(), score.numpy())
        if rng.random() < config.data.swapped:
            detected = _swapped(detected, rng)
        focal = np.full((n, 2), camera.focal, np.float32)
        root = pose3d[:, skeleton.root_index]
        truth = Poses(
            skeleton, points.astype(np.float32), np.ones(points.shape[:2], np.float32), pose3d,
            Camera(focal, np.zeros_like(focal), root),
        )  # fmt: skip
        given = _in_format(detected, form, self.skeleton)
        converted = _converted(truth, self.skeleton)
        return replace(converted, pose2d=given.pose2d, confidence=given.confidence)


def _rows(motion: Motion, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return consecutive rows of a recording, or every n-th."""
    stride = int(rng.choice(STRIDES[motion.fps]))
    total = len(motion.time)
    count = min(frames, max((total - 1) // stride + 1, 1))
    first = int(rng.integers(total - (count - 1) * stride))
    return first + stride * np.arange(count)


def other_body(
    world: Float[np.ndarray, "t joints 3"],
    skeleton: Skeleton,
    limb: float,
    stature: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "t joints 3"]:
    """Return a motion with other, symmetric bone lengths, the same in all frames.

    Args:
        limb, stature: standard deviations of the logarithms of bone lengths and of the size.
    """
    names = [name.removeprefix("left_").removeprefix("right_") for name in skeleton.bone_names]
    factors = {name: np.exp(limb * rng.normal()) for name in sorted(set(names))}
    size = np.exp(stature * rng.normal())
    scale = size * np.array([factors[name] for name in names])
    leg = scale[[i for i, name in enumerate(names) if name in ("knee", "ankle")]].mean()
    bones = bone_vectors(world, skeleton) * scale[:, None]
    root = world[:, skeleton.root_index]
    middle = root.mean(0)
    moved = middle + (root - middle) * leg  # longer legs make longer steps
    return pose_from_bones(bones, skeleton) + moved[:, None]


def straightened(
    pose3d: Float[np.ndarray, "t 46 3"], root: Float[np.ndarray, "t 3"], factor: float, seed: int
) -> Float[np.ndarray, "t 46 3"]:
    """Return the motion of a person with straighter legs (`posture.extend_legs`).

    Positions are divided by the same factor as the distances from hip to ankle, so that feet that
    stand do not begin to slide.

    Args:
        pose3d: joints relative to the root, metres.
        root: positions of the root, metres.
        factor: by which the legs of the recorded person are shorter.
        seed: of the flexion of extended legs.
    """
    generator, pose = torch.Generator().manual_seed(seed), torch.from_numpy(np.float32(pose3d))
    extended = extend_legs(pose, (factor, factor), generator, one_person=True).numpy()
    return (extended + root[:, None] / factor).astype(np.float32)


def _swapped(poses: Poses, rng: np.random.Generator) -> Poses:
    """Return a clip in which left and right are exchanged for a few frames."""
    length = int(rng.integers(SWAP_FRAMES[0], SWAP_FRAMES[1] + 1))
    first = int(rng.integers(len(poses)))
    rows = np.arange(len(poses))
    chosen = (rows >= first) & (rows < first + length)
    names = detector_errors.SWAPPED[rng.integers(len(detector_errors.SWAPPED))]
    order = np.array(
        [
            BODY_46.mirror[i] if any(name in joint for name in names) else i
            for i, joint in enumerate(BODY_46.joints)
        ]
    )
    pose2d = np.where(chosen[:, None, None], poses.pose2d[:, order], poses.pose2d)
    confidence = np.where(chosen[:, None], poses.confidence[:, order], poses.confidence)
    return replace(poses, pose2d=pose2d, confidence=confidence)


def _in_format(detected: Poses, form: str, skeleton: Skeleton) -> Poses:
    """Return detections of a format in the joints of the lifter, as `Predictor` converts them."""
    if skeleton == BODY_46:
        return detected
    name = "coco_17" if form == "limbs" else form
    return detected.to(joint_formats.get(name)).to(skeleton)


def _converted(poses: Poses, skeleton: Skeleton) -> Poses:
    """Return poses in the joints of the lifter; 3D joints without ground truth are NaN."""
    known = labelled(skeleton, poses.skeleton)
    converted = poses if poses.skeleton == skeleton else poses.to(skeleton)
    pose3d = np.where(known[:, None], converted.pose3d, np.nan).astype(np.float32)
    return replace(converted, pose3d=pose3d, labels={})


def _human36m(root: str, subjects: tuple[str, ...], detections: str | None) -> list[Motion]:
    """Return the recordings of all cameras."""
    poses = cached(
        human36m.load, root, subjects=subjects, detections=detections, skeleton="h36m_17"
    )
    labels = poses.labels
    starts = np.flatnonzero(np.diff(labels["frame"], prepend=np.inf) <= 0)
    result = []
    for first, last in zip(starts, [*starts[1:], len(poses)], strict=True):
        part = poses[first:last]
        rotations = cameras(str(labels["subject"][first]))[0].rotation
        assert rotations is not None
        rotation = rotations[int(labels["camera"][first])]
        time = part.labels["frame"] / HUMAN36M_FPS
        result.append(Motion(part, rotation, time, HUMAN36M_FPS))
    return result


def _open(
    root: str, held_out: tuple[str, ...], take_held_out: bool
) -> tuple[list[Motion], Float[np.ndarray, "bodies 46 3"]]:
    """Return the recordings of `open_mocap`, and the bodies of `anny` that take their postures."""
    subjects = tuple(name for name in held_out if "/" in name)
    if take_held_out and not subjects:
        return [], np.zeros((0, 46, 3))
    bodies = to_world(cached(anny.load, root, excluded=(*anny.BENCHMARK, *subjects)))
    file = read_arrays(open_mocap.make(root), open_mocap.SHAPES, "")
    result = []
    for number, name in enumerate(map(str, file["clips"])):
        subject = name.rpartition("/")[0]
        rows = np.flatnonzero(file["clip"] == number)
        excluded = subject in open_mocap.BENCHMARK or (subject in subjects) != take_held_out
        if excluded or len(rows) < 2:
            continue
        world = file["joints"][rows].astype(np.float32) + file["root"][rows, None]
        frame = file["frame"][rows].astype(float)
        time = (frame - frame[0]) / np.median(np.diff(frame)) / OPEN_FPS
        poses = Poses(H36M_17, world[..., :2], np.ones(world.shape[:2], np.float32), world)
        result.append(Motion(poses, np.eye(3, dtype=np.float32), time, OPEN_FPS))
    return result, bodies
