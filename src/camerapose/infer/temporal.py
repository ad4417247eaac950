"""Correct lifted poses with a temporal model: clips and live streams."""

import hashlib
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.core import joint_formats, temporal
from camerapose.core.bones import bone_lengths, bone_vectors, pose_from_bones, unit
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.core.temporal import LENGTH, LOOKAHEAD
from camerapose.infer.clip.camera import reposition
from camerapose.infer.clip.rows import (
    MAX_GAP,
    check_one_row_per_frame,
    check_poses,
    frame_numbers,
    increasing,
    person_numbers,
    row_times,
    rows_by_person,
)
from camerapose.io.runtime import onnx_session
from camerapose.io.weights import temporal_file

#: Names of the inputs and outputs of the graph.
INPUTS, OUTPUTS = ("window", "estimated", "pose"), ("corrected",)
#: Time steps on which models are trained, seconds: faster clips are processed in interleaved parts,
#: slower ones are not changed.
FAST_STEP, SLOW_STEP = 1 / 60, 0.15
#: Frames that determine a pose: its window, and the windows of the mean views in it.
REACH = 2 * (LENGTH - 1)
#: Frames that are processed together.
CHUNK = 1024


class TemporalModel:
    """Correct the poses of a lifter from windows of 27 frames.

    The correction is added to the pose; focal length and viewing direction are averaged over the
    window, and the translation is solved for again. Frames in which a person is not detected are
    left out of the windows. Absences longer than `clip.rows.MAX_GAP` and cuts separate movements.

    Args:
        path: the .onnx file.
        skeleton: joints of the lifter.
        std: the lifter predicts standard deviations.
        device, threads: as for `Predictor`.

    Raises:
        ValueError: the file is not a temporal model for these joints.
    """

    def __init__(
        self,
        path: Path,
        skeleton: Skeleton,
        std: bool,
        *,
        device: str = "cpu",
        threads: int | None = None,
    ):
        self.path, self.skeleton = path, skeleton
        self._session = onnx_session(path, device=device, threads=threads)
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        names = tuple(node.name for node in self._session.get_inputs())
        outputs = tuple(node.name for node in self._session.get_outputs())
        own = self.metadata.get("skeleton")
        if names != INPUTS or outputs != OUTPUTS or own is None:
            raise ValueError(
                f"{path} is not a temporal model of camerapose; give a file that `camerapose train "
                "configs/temporal.toml` wrote"
            )
        features = self._session.get_inputs()[0].shape[2]
        if joint_formats.get(own) != skeleton or features != temporal.n_features(
            skeleton.n_joints, std
        ):
            raise ValueError(
                f"{path} is a temporal model for other outputs than those of the lifter next to it "
                f"({skeleton.name}); train it on this lifter, or remove it"
            )

    @staticmethod
    def find(
        weights: Path, skeleton: Skeleton, std: bool, *, device: str, threads: int | None
    ) -> "TemporalModel | None":
        """Return the temporal model next to the weights of a lifter, if there is one.

        Raises:
            ValueError: it was trained on another lifter, or cannot be read.
        """
        path = temporal_file(weights)
        if not path.is_file():
            return None
        model = TemporalModel(path, skeleton, std, device=device, threads=threads)
        if model.metadata.get("lifter") != hashlib.sha256(weights.read_bytes()).hexdigest():
            raise ValueError(
                f"{path} was trained on another lifter than {weights.name}; train it on this one, "
                "or remove it"
            )
        return model

    def __call__(
        self, poses: Poses, mode: str = "centred", *, fps: float | None = None, times: Any = None
    ) -> Poses:
        """Return corrected poses of the same rows.

        Args:
            poses: as returned by `Predictor`; the labels person, frame and time assign rows to
                people and times, as in `infer.clip`.
            mode: "centred" uses 13 frames before and after each one, "causal" 26 frames before.
            fps, times: see `clip.rows.row_times`.

        Raises:
            ValueError: unknown mode, missing columns, or several poses per frame without the label
                person.
        """
        if mode not in LOOKAHEAD:
            raise ValueError(f"mode is {mode!r}; choose from {', '.join(LOOKAHEAD)}")
        check_poses(poses, "pose3d", "camera")
        if poses.skeleton != self.skeleton:
            raise ValueError(
                f"poses have the joints {poses.skeleton.name}; the temporal model requires "
                f"{self.skeleton.name}"
            )
        if len(poses) == 0:
            return poses
        check_one_row_per_frame(poses)
        seconds = row_times(poses, fps, times)
        relative = np.asarray(poses.pose3d - poses.root_position[:, None])
        assert poses.camera is not None
        focal, center = np.array(poses.camera.focal), np.array(poses.camera.center)
        changed = np.zeros(len(poses), bool)
        for rows in _sequences(poses, seconds):
            for start in range(0, len(rows), CHUNK):
                first, end = max(start - REACH, 0), start + CHUNK
                part = rows[first : end + REACH]
                kept = slice(start - first, end - first)
                own = part[kept]
                columns = self._corrected(poses[part], seconds[part], LOOKAHEAD[mode])
                relative[own], focal[own], center[own] = (column[kept] for column in columns)
            changed[rows] = True
        if not changed.any():
            return poses
        return reposition(poses, relative, focal, center)

    def _corrected(
        self, poses: Poses, seconds: Float[np.ndarray, " t"], lookahead: int
    ) -> tuple[np.ndarray, ...]:
        """Return root-relative poses, focal lengths and principal points."""
        padded = _frames(poses, seconds).padded(lookahead)
        features, pose, view = temporal.inputs(padded, lookahead)
        estimated, pose = (temporal.outputs(v, lookahead) for v in (features, pose))
        feed = dict(zip(INPUTS, (features, estimated, pose), strict=True))
        (corrected,) = self._session.run(OUTPUTS, feed)
        corrected = self._with_lengths(corrected, padded, lookahead)
        rotation, focal, center = (
            temporal.outputs(v, lookahead)[0] for v in (view.rotation, view.focal, view.center)
        )
        return corrected[0] @ np.swapaxes(rotation, -1, -2), focal, center

    def _with_lengths(
        self, corrected: Float[np.ndarray, "1 t joints 3"], padded: temporal.Frames, lookahead: int
    ) -> Float[np.ndarray, "1 t joints 3"]:
        """Return corrected poses with the lifter's bone lengths, means over the window.

        The lifter knows many more bodies than the temporal model.
        """
        lengths = bone_lengths(padded.facing[0].astype(float), self.skeleton)[None]
        lengths = temporal.window_mean(lengths, padded.present, lookahead)
        lengths = temporal.outputs(lengths, lookahead)[0]
        directions = unit(bone_vectors(corrected[0].astype(float), self.skeleton))
        return pose_from_bones(directions * lengths[..., None], self.skeleton)[None]


class LiveTemporal:
    """Correct the people of a live stream frame by frame.

    Args:
        model: the temporal model.
    """

    def __init__(self, model: TemporalModel):
        self._model = model
        self._people: dict[int, deque[tuple[float, Poses]]] = {}

    def __call__(self, poses: Poses, time: float) -> Poses:
        """Return the corrected people of the next frame.

        Args:
            poses: one row per person, with the label person if there are several.
            time: seconds.
        """
        parts = []
        people = person_numbers(poses).tolist()
        for row, person in enumerate(people):
            past = self._people.setdefault(person, deque(maxlen=REACH + 1))
            if past and not 0 < time - past[-1][0] <= MAX_GAP:
                past.clear()
            past.append((time, replace(poses[[row]], labels={})))
            clip = Poses.cat([pose for _, pose in past])
            clip = self._model(clip, "causal", times=[t for t, _ in past])
            parts.append(replace(clip[[-1]], labels=poses[[row]].labels))
        absent = set(self._people) - set(people)
        for person in absent:
            if time - self._people[person][-1][0] > MAX_GAP:
                del self._people[person]
        return Poses.cat(parts) if parts else poses


def _sequences(poses: Poses, seconds: Float[np.ndarray, " n"]) -> list[np.ndarray]:
    """Return the rows of each movement that is not too slow, fast ones in interleaved parts."""
    result = []
    for own in rows_by_person(poses):
        rows = own[np.argsort(frame_numbers(poses)[own], kind="stable")]
        times = increasing(seconds[rows])
        for piece in np.split(rows, np.flatnonzero(np.diff(times) > MAX_GAP) + 1):
            step = np.median(np.diff(increasing(seconds[piece]))) if len(piece) > 1 else FAST_STEP
            if step <= SLOW_STEP:
                count = max(round(FAST_STEP / step), 1)
                result += [piece[i::count] for i in range(min(count, len(piece)))]
    return result


def _frames(poses: Poses, seconds: Float[np.ndarray, " t"]) -> temporal.Frames:
    """Return a movement as input, with one person."""
    assert poses.camera is not None
    pose2d, confidence = np.asarray(poses.pose2d, float), np.asarray(poses.confidence)
    focal, center = (np.asarray(v, float) for v in (poses.camera.focal, poses.camera.center))
    place, _ = temporal.crop(pose2d, confidence)
    relative = np.asarray(poses.pose3d - poses.root_position[:, None], float)
    std = None if poses.pose3d_std is None else np.asarray(poses.pose3d_std)[None]
    return temporal.Frames(
        facing=temporal.facing(relative, place, focal, center)[None],
        pose2d=pose2d[None],
        confidence=confidence[None],
        focal=focal[None],
        center=center[None],
        time=increasing(seconds)[None],
        present=np.ones((1, len(poses)), bool),
        std=std,
    )
