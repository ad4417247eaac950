"""`Predictor`: 2D keypoints to 3D poses and cameras, in Python.

Refinement, lifter and camera branch run as one ONNX graph on ONNX Runtime; no torch here.
"""

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from jaxtyping import Bool, Float

from camerapose.core import conversion, formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.poses import Poses, mean
from camerapose.core.skeleton import Skeleton
from camerapose.infer import clip
from camerapose.infer import rotated_views as views
from camerapose.io.weights import find_weights

OUTPUTS = ("refined2d", "pose3d", "focal", "center", "translation")
#: With fewer joints of the network's skeleton seen, a body is anybody's guess.
MIN_JOINTS = 4
#: Joints within so many pixels of each other stand in one place.
SAME_PLACE = 1e-3
#: Some detectors report scores a little outside [0, 1]; these are clipped, others refused.
LOWEST, HIGHEST = -0.1, 1.5
#: Poses that go through the graph at once.
CHUNK = 4096


class PoseWarning(UserWarning):
    """Keypoints that can be lifted but look wrong."""


class Predictor:
    """Lifts 2D keypoints to 3D poses and predicts the camera that saw them.

    Args:
        weights: "default"; "clean", which is more accurate for complete 2D without noise and less
            accurate otherwise; a run or checkpoint folder; or an .onnx file. See
            `camerapose.io.weights.find_weights`.
        threads: of ONNX Runtime; None takes the processor's cores.
        flip_averaging: average each pose with the prediction for its mirror image. Reduces the
            error on Human3.6M by about 1 mm and doubles the network's time.
        rotated_views: also average over the views of cameras rotated by 5 degrees up, down, left
            and right (`camerapose.infer.rotated_views`). Reduces the error by another 0.5 mm and
            multiplies the time by five.

    Raises:
        FileNotFoundError: there is no graph.
        ValueError: the file is no graph of CameraPose.

    Examples:
        >>> predictor = Predictor()                                         # doctest: +SKIP
        >>> poses = predictor(keypoints, scores, image_size=(1280, 720))    # doctest: +SKIP
        >>> poses.pose3d, poses.camera.in_pixels(poses.image_size)          # doctest: +SKIP
    """

    def __init__(
        self,
        weights: str | os.PathLike = "default",
        *,
        threads: int | None = None,
        flip_averaging: bool = True,
        rotated_views: bool = False,
    ):
        self.flip_averaging, self.rotated_views = flip_averaging, rotated_views
        self.path = find_weights(weights)
        self._session = _session(self.path, threads)
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.skeleton: Skeleton = _skeleton_of(self._session, self.path)

    def __call__(
        self,
        keypoints: Any,
        confidence: Any = None,
        *,
        image_size: Any,
        skeleton: str | Skeleton = "coco_17",
        focal: Any = None,
        center: Any = None,
    ) -> Poses:
        """Lift people; each is lifted by itself.

        A joint is missing where its confidence is 0 or NaN, or a coordinate is NaN or infinite:
        the network is told so and predicts it from the others. A person outside the image is
        lifted like any other, with a warning, since detectors do not make such people.

        Args:
            keypoints: (n, joints, 2) pixels, origin top left, x right, y down; numpy or torch.
                (joints, 2) is one person.
            confidence: (n, joints), 0 (not seen) to 1 (certain); None: all joints are certain.
            image_size: (width, height) of all images, or one row a person.
            skeleton: the joint format of `keypoints`; see `camerapose.core.formats.FORMATS`.
            focal: focal length in pixels where the camera is calibrated: a number, (x, y), or a row
                a person. People are turned and placed to fit it; None: it is predicted.
            center: its principal point in pixels; None: the image's middle. Goes with `focal`.

        Returns:
            Numpy columns in the network's skeleton: `pose2d` as given, `refined2d`, `confidence`,
            `pose3d` (camera frame, metres, absolute), `camera` (focal and center in normalised
            units: `poses.camera.in_pixels(poses.image_size)`), `image_size`.

        Raises:
            ValueError: shapes, joint count, skeleton, confidences, image sizes or the camera don't
                fit, or someone has fewer than `MIN_JOINTS` joints.
        """
        if focal is None and center is not None:
            raise ValueError(f"center is {center}, but no focal length is given; give both")
        points, seen = self.prepare(keypoints, confidence, skeleton)
        size = _image_sizes(image_size, len(points))
        bad = np.flatnonzero(~_usable(points, seen))
        if len(bad):
            raise ValueError(_too_few(bad, seen, self.skeleton))
        _warn_of_places(points, size)
        pose2d = normalize(points, size).astype(np.float32)
        poses = Poses(self.skeleton, pose2d, seen, image_size=size)
        poses = views.lift(self._lifted, poses) if self.rotated_views else self._lifted(poses)
        wrong = ~np.isfinite(poses.pose3d).all((1, 2))
        if wrong.any():
            raise ValueError(
                f"{self.path} gives no finite 3D for {_rows(wrong)}; "
                "the weights are damaged or of a training that broke down. Use other weights."
            )
        return poses if focal is None else clip.set_focal_length(poses, focal, center)

    def prepare(
        self, keypoints: Any, confidence: Any, skeleton: str | Skeleton
    ) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
        """Keypoints (pixels) and confidences checked, cleaned and in the network's skeleton.

        Joints that are not seen stand in the middle of those that are.
        """
        source = formats.get(skeleton) if isinstance(skeleton, str) else skeleton
        points, seen = _checked(keypoints, confidence, source)
        points, seen = conversion.convert(points, seen, source, self.skeleton)
        shown = (seen > 0)[..., None]
        count = np.maximum(shown.sum(1, keepdims=True), 1)
        middle = (points * shown).sum(1, keepdims=True) / count
        return np.where(shown, points, middle), seen.astype(np.float32)

    def usable(
        self, keypoints: Any, confidence: Any, skeleton: str | Skeleton = "coco_17"
    ) -> Bool[np.ndarray, " n"]:
        """For each person whether enough joints are seen to lift them."""
        return _usable(*self.prepare(keypoints, confidence, skeleton))

    def _lifted(self, poses: Poses) -> Poses:
        """The poses with what the graph says of them."""
        n = len(poses)
        given = Poses.cat([poses, poses.mirror()]) if self.flip_averaging else poses
        columns = self.run(given.pose2d, given.confidence)
        lifted = replace(
            given,
            pose3d=columns["pose3d"],
            refined2d=columns["refined2d"],
            camera=Camera(columns["focal"], columns["center"], columns["translation"]),
        )
        return mean(lifted[:n], lifted[n:].mirror()) if self.flip_averaging else lifted

    def run(
        self, pose2d: Float[np.ndarray, "n joints 2"], confidence: Float[np.ndarray, "n joints"]
    ) -> dict[str, np.ndarray]:
        """What the graph says of poses in its own skeleton and in normalised coordinates."""
        if not len(pose2d):
            joints = self.skeleton.n_joints
            shapes = {"refined2d": (joints, 2), "pose3d": (joints, 3), "focal": (2,),
                      "center": (2,), "translation": (3,)}  # fmt: skip
            return {name: np.zeros((0, *shape), np.float32) for name, shape in shapes.items()}
        chunks = [
            self._session.run(
                list(OUTPUTS),
                {"pose2d": pose2d[i : i + CHUNK], "confidence": confidence[i : i + CHUNK]},
            )
            for i in range(0, len(pose2d), CHUNK)
        ]
        parts = zip(*chunks, strict=True)
        return {name: np.concatenate(part) for name, part in zip(OUTPUTS, parts, strict=True)}


# --- the graph ----------------------------------------------------------------------------------


def _session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    # Threads that wait busily would take the cores from the detector, which runs in turn with us.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen kinds, none public
        raise ValueError(
            f"{path} can't be read as an ONNX graph ({_first_line(error)}). Give an .onnx file "
            "that `camerapose export` wrote, or the folder of a training."
        ) from error


def _skeleton_of(session: onnxruntime.InferenceSession, path: Path) -> Skeleton:
    """The graph's skeleton, once the graph is known to be one of ours."""
    inputs = {node.name: node.shape for node in session.get_inputs()}
    outputs = {node.name for node in session.get_outputs()}
    named = session.get_modelmeta().custom_metadata_map.get("skeleton")
    missing = {"pose2d", "confidence"} - set(inputs) | (set(OUTPUTS) - outputs)
    if missing or named is None:
        lacks = ", ".join(sorted(missing)) or "metadata `skeleton`"
        raise ValueError(
            f"{path} is an ONNX graph, but none of camerapose: it lacks {lacks}. "
            "Give one that `camerapose export` wrote."
        )
    skeleton = formats.get(named)
    joints = inputs["pose2d"][1]
    if joints != skeleton.n_joints:
        raise ValueError(
            f"{path} takes {joints} joints but names the skeleton {skeleton.name}, which has "
            f"{skeleton.n_joints}. Export it again from its checkpoint."
        )
    return skeleton


# --- checks -------------------------------------------------------------------------------------


def _numpy(values: Any) -> np.ndarray:
    """Numpy, torch or lists as float64, without importing torch."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=np.float64)


def _checked(
    keypoints: Any, confidence: Any, source: Skeleton
) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
    """Finite keypoints (0 where missing) and confidences in [0, 1]."""
    points = _numpy(keypoints)
    points = points[None] if points.ndim == 2 else points
    if points.ndim == 3 and points.shape[2] == 3:
        raise ValueError(
            f"keypoints have shape {points.shape}: three numbers a joint. Give x and y as "
            "keypoints and the score as confidence: predictor(k[..., :2], k[..., 2], ...)."
        )
    if points.ndim != 3 or points.shape[2] != 2:
        raise ValueError(
            f"keypoints have shape {points.shape}; give (people, joints, 2), or (joints, 2) for "
            "one person, in pixels."
        )
    if points.shape[1] != source.n_joints:
        raise ValueError(_wrong_count(points.shape[1], source))
    seen = np.ones(points.shape[:2]) if confidence is None else _numpy(confidence)
    seen = seen[None] if seen.ndim == 1 else seen
    if seen.shape != points.shape[:2]:
        raise ValueError(
            f"confidence has shape {seen.shape}, but keypoints are of {points.shape[0]} people "
            f"with {points.shape[1]} joints; give one number a joint: {points.shape[:2]}."
        )
    seen = np.where(np.isnan(seen), 0.0, seen)
    if seen.size and not (seen.min() >= LOWEST and seen.max() <= HIGHEST):
        raise ValueError(
            f"confidences run from {seen.min():g} to {seen.max():g}; give 0 (not seen) to 1 "
            "(certain). Per cent are to be divided by 100; of COCO's visibility flags 0, 1, 2 give "
            "flag > 0."
        )
    if np.isinf(points).any():
        warnings.warn(
            f"keypoints have infinite coordinates in {_rows(np.isinf(points).any((1, 2)))}; "
            "these joints count as missing",
            PoseWarning,
            stacklevel=4,
        )
    finite = np.isfinite(points).all(-1)
    points = np.where(finite[..., None], points, 0.0)
    return points, np.where(finite, np.clip(seen, 0.0, 1.0), 0.0)


def _wrong_count(count: int, source: Skeleton) -> str:
    fitting = [s.name for s in formats.FORMATS.values() if s.n_joints == count]
    known = ", ".join(f"{s.name} ({s.n_joints})" for s in formats.FORMATS.values())
    hint = (
        f"with {count} joints there is {' and '.join(fitting)}: say skeleton={fitting[0]!r}"
        if fitting
        else "bring them to one of these first"
    )
    return (
        f"keypoints have {count} joints but {source.name} has {source.n_joints}; {hint}. "
        f"Known formats: {known}."
    )


def _image_sizes(image_size: Any, n: int) -> Float[np.ndarray, "n 2"]:
    """One (width, height) a person."""
    size = _numpy(image_size)
    if size.shape not in ((2,), (n, 2)):
        raise ValueError(
            f"image_size has shape {size.shape}; give (width, height) in pixels, or one row for "
            f"each of the {n} people."
        )
    if not (np.isfinite(size).all() and (size >= 1).all()):
        raise ValueError(f"image_size {image_size} is no (width, height) in pixels.")
    return np.broadcast_to(size, (n, 2)).astype(np.float32)


def _usable(
    points: Float[np.ndarray, "n joints 2"], seen: Float[np.ndarray, "n joints"]
) -> Bool[np.ndarray, " n"]:
    """Enough joints are seen, and not all in one place."""
    low, high = points.min(1), points.max(1)
    return ((seen > 0).sum(1) >= MIN_JOINTS) & ((high - low) > SAME_PLACE).any(1)


def _too_few(bad: np.ndarray, seen: np.ndarray, skeleton: Skeleton) -> str:
    counts = (seen[bad] > 0).sum(1)
    if (counts == 0).all():
        what = "no joint is seen (all confidences 0, or coordinates NaN)"
    elif (counts < MIN_JOINTS).any():
        what = f"fewer than {MIN_JOINTS} joints of {skeleton.name} are seen"
    else:
        what = "all joints stand in one place"
    return (
        f"Of {_rows(bad)} {what}; leave such people out (predictor.usable(...) tells which), or "
        f"give at least {MIN_JOINTS} joints each."
    )


def _warn_of_places(points: np.ndarray, size: np.ndarray) -> None:
    """Say so where people are outside the image or coordinates look like no pixels."""
    if not len(points):
        return
    if np.abs(points).max() <= 2 and size.min() > 50:
        warnings.warn(
            f"all coordinates lie in {points.min():.2f} to {points.max():.2f}, which looks like "
            "normalised coordinates; camerapose wants pixels",
            PoseWarning,
            stacklevel=3,
        )
        return
    strangers = outside(points, size)
    if strangers.any():
        warnings.warn(
            f"{_rows(strangers)} lies wholly outside its image; is image_size "
            "(width, height), and of this image?",
            PoseWarning,
            stacklevel=3,
        )


def outside(points: np.ndarray, size: np.ndarray) -> Bool[np.ndarray, " n"]:
    """People of whom no joint (pixels) is inside the image."""
    low, high = points.min(1), points.max(1)
    return ((high < 0) | (low > size)).any(1)


def _rows(rows: np.ndarray) -> str:
    """`pose 3` or `poses 3, 5, 7 and 12 more`; takes indices or a mask."""
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows
    shown = ", ".join(str(row) for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"pose{'s' if len(rows) > 1 else ''} {shown}{more}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
