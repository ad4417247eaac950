"""Lift 2D keypoints to 3D poses and cameras with an ONNX graph."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from camerapose.core import conversion, joint_formats
from camerapose.core.camera import Camera, normalize
from camerapose.core.poses import Poses, mean
from camerapose.core.skeleton import Skeleton
from camerapose.infer import clip, rotated_views
from camerapose.infer.clip.camera import normalised_intrinsics
from camerapose.infer.keypoint_checks import (
    check_image_sizes,
    check_keypoints,
    check_usable,
    rows_text,
    usable,
    warn_of_positions,
    without_guesses,
)
from camerapose.infer.temporal import TemporalModel
from camerapose.io.runtime import onnx_session
from camerapose.io.weights import DEFAULT, SHIPPED, find_weights

#: Outputs of the graph that are used, and their shapes for one pose; -1 is the number of joints.
OUTPUTS = {
    "refined2d": (-1, 2), "pose3d": (-1, 3), "focal": (2,), "center": (2,), "translation": (3,),
}  # fmt: skip
#: Output of graphs that predict standard deviations.
STD = "pose3d_std"
#: Input of graphs that accept known quantities, NaN where unknown, and its number of values: focal
#: length and principal point (normalised units), body height and the lengths of `LIMBS` (metres).
KNOWN, N_KNOWN = "known", 8
#: Limbs of known length: hip to knee, knee to ankle, shoulder to elbow, elbow to wrist, between the
#: centres of the joints; the mean of both sides.
LIMBS = ("thigh", "shank", "upper_arm", "forearm")
#: Accepted limb lengths, metres.
MIN_LIMB, MAX_LIMB = 0.05, 1.0
#: Number of poses in one call of the graph.
CHUNK = 1024


class Predictor:
    """Lift 2D keypoints to 3D poses and estimate the camera.

    Refinement network, lifter and camera branch are one ONNX graph.

    Args:
        weights: "open", which may be used in products; "research" or "human36m", trained
            also or only on Human3.6M and for research only; a run or checkpoint folder; or an
            .onnx file. See `camerapose.io.weights.find_weights`.
        device: "cpu", "cuda", "coreml", "directml" or "openvino"; all but the first require
            another package of ONNX Runtime (`camerapose.io.runtime.DEVICES`).
        threads: number of processor threads; None uses all cores.
        flip_averaging: average each pose with the prediction for its mirror image. Reduces the
            error on Human3.6M by about 1 mm and doubles the network's time.
        rotated_views: also average over the views of cameras rotated by 5 degrees up, down, left
            and right (`camerapose.infer.rotated_views`). Reduces the error by another 0.5 mm and
            multiplies the time by five.

    Raises:
        FileNotFoundError: the weights do not exist.
        ValueError: the file is not a graph of camerapose, or the device cannot be used.

    Examples:
        >>> keypoints = np.random.default_rng(0).uniform(100, 600, (3, 17, 2))
        >>> poses = Predictor()(keypoints, image_size=(1280, 720))
        >>> poses.pose3d.shape, poses.camera.in_pixels(poses.image_size).focal.shape
        ((3, 46, 3), (3, 2))
    """

    def __init__(
        self,
        weights: str | os.PathLike = DEFAULT,
        *,
        device: str = "cpu",
        threads: int | None = None,
        flip_averaging: bool = True,
        rotated_views: bool = False,
    ):
        self.flip_averaging, self.rotated_views = flip_averaging, rotated_views
        self._device, self._threads = device, threads
        self.path = find_weights(weights)
        self._session = onnx_session(self.path, device=device, threads=threads)
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.skeleton: Skeleton = _graph_skeleton(self._session, self.path)
        self.accepts_known = KNOWN in {node.name for node in self._session.get_inputs()}
        self.predicts_std = STD in {node.name for node in self._session.get_outputs()}
        self._check_outputs()

    @cached_property
    def temporal(self) -> TemporalModel | None:
        """The temporal model of the weights, the file NAME_temporal.onnx next to NAME.onnx, if any.

        It corrects the poses of a clip: `predictor.temporal(poses, "centred", fps=30)`.

        Raises:
            ValueError: the file was trained on other weights, or cannot be read.
        """
        return TemporalModel.find(
            self.path, self.skeleton, self.predicts_std, device=self._device,
            threads=self._threads,
        )  # fmt: skip

    @classmethod
    def from_pretrained(cls, repository: str | os.PathLike, **options: Any) -> "Predictor":
        """Return the predictor of a repository in the layout of `camerapose export --hub`.

        Args:
            repository: folder with model.onnx, name of weights in this package, or OWNER/NAME on
                the Hugging Face Hub, which is downloaded (requires `huggingface_hub`).
            **options: of `Predictor`, such as `device`.

        Raises:
            FileNotFoundError: no such folder, and no repository of this name.
            ValueError: the file is not a graph of camerapose.
        """
        path = Path(repository)
        if str(repository) in SHIPPED or path.exists():
            return cls(repository, **options)
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(repository)):
            raise FileNotFoundError(
                f"no weights at {repository}; give a folder with model.onnx, "
                f"{', '.join(SHIPPED)}, or OWNER/NAME of a repository on the Hugging Face Hub"
            )
        try:
            from huggingface_hub import hf_hub_download
        except ModuleNotFoundError as error:
            raise FileNotFoundError(
                f"no folder {repository}; to download it from the Hugging Face Hub: "
                "pip install huggingface_hub"
            ) from error
        return cls(hf_hub_download(str(repository), "model.onnx"), **options)

    def __call__(
        self,
        keypoints: Any,
        confidence: Any = None,
        *,
        image_size: Any,
        skeleton: str | Skeleton = "coco_17",
        focal: Any = None,
        center: Any = None,
        height: Any = None,
        limbs: Mapping[str, Any] | None = None,
    ) -> Poses:
        """Lift people, each independently of the others.

        A joint is missing if its confidence is 0 or NaN, or a coordinate is NaN or infinite; the
        network predicts it from the visible joints. So are, for weights with standard deviations,
        joints outside the image with a confidence below `keypoint_checks.GUESSED`. People outside
        the image are lifted with a warning, since detectors do not report them.

        Args:
            keypoints: (n, joints, 2) pixels, origin top left, x right, y down; numpy or torch.
                (joints, 2) is one person.
            confidence: (n, joints), 0 (missing) to 1 (certain); None: all joints are certain.
            image_size: (width, height) of all images, or one row per person.
            skeleton: joint format of `keypoints`; see `camerapose.core.joint_formats.FORMATS`.
            focal: focal length in pixels of a calibrated camera: a number, (x, y), or one row per
                person. Weights that accept known quantities (`accepts_known`) predict the pose for
                it; poses of other weights are rotated and translated to fit it. None: estimated.
            center: principal point in pixels; requires `focal`. None: the image centre.
            height: body height in metres, a number or one per person, for weights that accept known
                quantities; others ignore it. To scale poses of any weights to it, use
                `infer.clip.set_height`.
            limbs: lengths in metres of some of `LIMBS`, such as {"thigh": 0.43}, numbers or one per
                person; only for weights that accept known quantities.

        Returns:
            Numpy columns in the network's skeleton: `pose2d` as given, `refined2d`, `confidence`,
            `pose3d` (camera frame, metres, absolute), `camera` (focal length and principal point
            in normalised units; `poses.camera.in_pixels(poses.image_size)` converts them),
            `image_size`, and `pose3d_std` of weights that predict it.

        Raises:
            ValueError: shapes, joint count, skeleton, confidences, image sizes or known quantities
                do not fit, or a person has fewer than `keypoint_checks.MIN_JOINTS` visible joints.
        """
        if focal is None and center is not None:
            raise ValueError(f"center is {center} without focal; a known camera requires both")
        points, scores = self.prepare(keypoints, confidence, skeleton)
        size = check_image_sizes(image_size, len(points))
        check_usable(points, scores, self.skeleton)
        warn_of_positions(points, size)
        if self.predicts_std:  # trained on people whose other joints are missing
            scores = without_guesses(points, scores, size)
        pose2d = normalize(points, size).astype(np.float32)
        poses = Poses(self.skeleton, pose2d, scores, image_size=size)
        if limbs and not self.accepts_known:
            raise ValueError(f"limbs require weights that accept them; {self.path} does not")
        known = _known(poses, focal, center, height, limbs or {})
        predict = partial(self._lift, known=known)
        poses = rotated_views.lift(predict, poses) if self.rotated_views else predict(poses)
        wrong = ~np.isfinite(np.asarray(poses.pose3d)).all((1, 2))
        if wrong.any():
            raise ValueError(
                f"{self.path} predicts values that are not finite for {rows_text(wrong)}; the "
                "weights are damaged, use others"
            )
        return poses if focal is None else clip.set_focal_length(poses, focal, center)

    def prepare(
        self, keypoints: Any, confidence: Any, skeleton: str | Skeleton
    ) -> tuple[Float[np.ndarray, "n joints 2"], Float[np.ndarray, "n joints"]]:
        """Return keypoints (pixels) and confidences, checked and in the network's skeleton.

        Missing joints are at the centroid of the visible ones.
        """
        source = joint_formats.get(skeleton) if isinstance(skeleton, str) else skeleton
        points, scores = check_keypoints(keypoints, confidence, source)
        points, scores = conversion.convert(points, scores, source, self.skeleton)
        visible = (scores > 0)[..., None]
        count = np.maximum(visible.sum(1, keepdims=True), 1)
        centroid = (points * visible).sum(1, keepdims=True) / count
        return np.where(visible, points, centroid), scores.astype(np.float32)

    def usable(
        self, keypoints: Any, confidence: Any, skeleton: str | Skeleton = "coco_17"
    ) -> Bool[np.ndarray, " n"]:
        """Return which people have enough visible joints to be lifted."""
        return usable(*self.prepare(keypoints, confidence, skeleton))

    def _check_outputs(self) -> None:
        """Run the graph once; raise ValueError if an output has another shape or type."""
        joints = self.skeleton.n_joints
        declared = {node.name: node for node in self._session.get_outputs()}
        inputs = {"pose2d": (2, joints, 2), "confidence": (2, joints), KNOWN: (2, N_KNOWN)}
        expected = OUTPUTS | ({STD: (-1,)} if self.predicts_std else {})
        try:
            wrong = [
                f"input {node.name} {node.type} {node.shape}"
                for node in self._session.get_inputs()
                if node.type != "tensor(float)" or not _same(node.shape, inputs.get(node.name, ()))
            ]
            if not wrong:
                given = (np.zeros(shape, np.float32) for shape in inputs.values())
                columns = self.run(*given, std=self.predicts_std)
                wrong = [
                    f"output {name} {declared[name].type} {columns[name].shape}"
                    for name, shape in expected.items()
                    if columns[name].shape != (2, *(joints if n == -1 else n for n in shape))
                    or columns[name].dtype != np.float32
                ]
        except Exception as error:  # of ONNX Runtime, none of them public
            wrong = [(str(error).splitlines() or [type(error).__name__])[0]]
        if wrong:
            raise ValueError(
                f"{self.path} is not a graph of camerapose ({', '.join(wrong)}); give a file that "
                "`camerapose export` wrote"
            )

    def _lift(self, poses: Poses, known: Float[np.ndarray, "n known"]) -> Poses:
        """Return the poses with the outputs of the graph."""
        n = len(poses)
        given = Poses.cat([poses, poses.mirror()]) if self.flip_averaging else poses
        if self.flip_averaging:
            flipped = known * np.array([1, -1, 1, 1, 1, 1, 1, 1], np.float32)
            known = np.concatenate([known, flipped])
        columns = self.run(given.pose2d, given.confidence, known, std=self.predicts_std)
        lifted = replace(
            given,
            pose3d=columns["pose3d"],
            refined2d=columns["refined2d"],
            camera=Camera(columns["focal"], columns["center"], columns["translation"]),
            pose3d_std=columns.get(STD),
        )
        return mean(lifted[:n], lifted[n:].mirror()) if self.flip_averaging else lifted

    def run(
        self,
        pose2d: Float[np.ndarray, "n joints 2"],
        confidence: Float[np.ndarray, "n joints"],
        known: Float[np.ndarray, "n known"] | None = None,
        *,
        std: bool = False,
    ) -> dict[str, np.ndarray]:
        """Run the graph.

        Args:
            pose2d: normalised image coordinates, in the network's skeleton.
            confidence: 0 to 1.
            known: known quantities (`KNOWN`); None: nothing is known. Ignored by graphs without
                this input.
            std: whether to return `pose3d_std` as well.

        Returns:
            The arrays `OUTPUTS`, one row per pose.
        """
        shapes = OUTPUTS | ({STD: (-1,)} if std else {})
        if not len(pose2d):
            joints = self.skeleton.n_joints
            return {
                name: np.zeros((0, *(joints if n == -1 else n for n in shape)), np.float32)
                for name, shape in shapes.items()
            }
        feed = {"pose2d": pose2d, "confidence": confidence}
        if self.accepts_known:
            nothing = np.full((len(pose2d), N_KNOWN), np.nan, np.float32)
            feed[KNOWN] = nothing if known is None else known
        chunks = [
            self._session.run(list(shapes), {k: v[i : i + CHUNK] for k, v in feed.items()})
            for i in range(0, len(pose2d), CHUNK)
        ]
        parts = zip(*chunks, strict=True)
        return {name: np.concatenate(part) for name, part in zip(shapes, parts, strict=True)}


def _known(
    poses: Poses, focal: Any, center: Any, height: Any, limbs: Mapping[str, Any]
) -> Float[np.ndarray, "n known"]:
    """Return the values of `KNOWN` in normalised units, NaN where unknown.

    Args:
        poses: 2D poses with image sizes.
        focal, center: pixels, as given to the predictor.
        height, limbs: metres.
    """
    known = np.full((len(poses), N_KNOWN), np.nan, np.float32)
    if focal is not None:
        focals, known[:, 1:3] = normalised_intrinsics(poses, focal, center)
        known[:, 0] = np.exp(np.log(focals).mean(axis=1))
    if height is not None:
        known[:, 3] = _lengths("height", height, clip.MIN_HEIGHT, clip.MAX_HEIGHT, len(poses))
    if unknown := set(limbs) - set(LIMBS):
        raise ValueError(f"limbs has {', '.join(sorted(unknown))}; give {', '.join(LIMBS)}")
    for name, length in limbs.items():
        column = N_KNOWN - len(LIMBS) + LIMBS.index(name)
        known[:, column] = _lengths(name, length, MIN_LIMB, MAX_LIMB, len(poses))
    return known


def _lengths(name: str, values: Any, low: float, high: float, n: int) -> np.ndarray:
    """Return one length (metres) per pose, checked."""
    lengths = np.asarray(values, float)
    if lengths.shape not in ((), (n,)):
        raise ValueError(
            f"{name} has shape {lengths.shape}; give a number, or one for each of {n} poses"
        )
    wrong = lengths[~((lengths >= low) & (lengths <= high))]
    if wrong.size:
        raise ValueError(f"{name} is {wrong.flat[0]:g}; give metres, from {low:g} to {high:g}")
    return lengths


def _same(shape: Any, expected: tuple[int, ...]) -> bool:
    """Whether a declared shape, whose variable dimensions are names, can be the expected one."""
    return len(shape) == len(expected) and all(
        not isinstance(n, int) or n == m for n, m in zip(shape, expected, strict=True)
    )


def _graph_skeleton(session: Any, path: Path) -> Skeleton:
    """Return the skeleton of a graph, after checking that camerapose exported the graph."""
    inputs = {node.name: node.shape for node in session.get_inputs()}
    outputs = {node.name for node in session.get_outputs()}
    named = session.get_modelmeta().custom_metadata_map.get("skeleton")
    missing = {"pose2d", "confidence"} - set(inputs) | (set(OUTPUTS) - outputs)
    if missing or named is None:
        lacks = ", ".join(sorted(missing)) or "the metadata entry skeleton"
        raise ValueError(
            f"{path} is not a graph of camerapose: it lacks {lacks}; give a file that "
            "`camerapose export` wrote"
        )
    skeleton = joint_formats.get(named)
    joints = inputs["pose2d"][1] if len(inputs["pose2d"]) == 3 else None
    if joints != skeleton.n_joints:
        raise ValueError(
            f"{path} has {joints} joints, but its skeleton {skeleton.name} has "
            f"{skeleton.n_joints}; export it again from its checkpoint"
        )
    return skeleton
