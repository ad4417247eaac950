"""`Poses`: N poses, column by column. A data set is a big one, a batch a small one."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array
from jaxtyping import Float

from camerapose.core import conversion, formats
from camerapose.core.camera import Camera, denormalize
from camerapose.core.skeleton import Skeleton


@dataclass(frozen=True)
class Poses:
    """N poses: 2D, and what is known of 3D and of the camera.

    Attributes:
        skeleton: names the joints of every column.
        pose2d: normalised image coordinates (see `camerapose.core.camera`).
        confidence: 0 not seen (its coordinates are finite and mean nothing) to 1 certain.
        pose3d: camera frame, metres, absolute; None for 2D alone.
        camera: None where it is not known.
        image_size: width and height in pixels.
        refined2d: 2D after the refinement network, where it ran.
        labels: further columns, one value a pose: subject, action, frame, person, ...
    """

    skeleton: Skeleton
    pose2d: Float[Any, "n joints 2"]
    confidence: Float[Any, "n joints"]
    pose3d: Float[Any, "n joints 3"] | None = None
    camera: Camera | None = None
    image_size: Float[Any, "n 2"] | None = None
    refined2d: Float[Any, "n joints 2"] | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.pose2d.shape[1] != self.skeleton.n_joints:
            raise ValueError(
                f"pose2d has {self.pose2d.shape[1]} joints but {self.skeleton.name} has "
                f"{self.skeleton.n_joints}; name the skeleton that the poses are in "
                f"(known: {', '.join(formats.FORMATS)})"
            )
        for name, column in self.labels.items():
            assert len(column) == len(self), f"label {name} has {len(column)} of {len(self)} rows"

    def __len__(self) -> int:
        return self.pose2d.shape[0]

    def __getitem__(self, index: Any) -> "Poses":
        """Some poses: a slice, a mask or an array of indices (one index: a list of it)."""
        taken = self._map(lambda column: _take(column, index))
        if not self.labels:  # no copy of the index waits for the device
            return taken
        rows = index.cpu().numpy() if is_torch_array(index) else index
        return replace(taken, labels={name: column[rows] for name, column in self.labels.items()})

    def __iter__(self) -> Iterator["Poses"]:
        """One pose at a time, each as `Poses` of length one."""
        return (self[i : i + 1] for i in range(len(self)))

    def _map(self, function) -> "Poses":
        columns = {name: function(getattr(self, name)) for name in self._arrays()}
        camera = self.camera and self.camera.map(function)
        return replace(self, **columns, camera=camera, labels={})

    def _arrays(self) -> list[str]:
        names = ("pose2d", "confidence", "pose3d", "image_size", "refined2d")
        return [name for name in names if getattr(self, name) is not None]

    @staticmethod
    def cat(parts: Sequence["Poses"]) -> "Poses":
        """All poses in one; a column stays only where every part has it."""
        names = {p.skeleton.name for p in parts}
        if len(names) != 1:
            raise ValueError(
                f"poses of {len(names)} joint formats ({', '.join(sorted(names))}) can't be "
                "joined; bring them to one with .to(skeleton)"
            )
        xp = array_namespace(parts[0].pose2d)
        shared = set.intersection(*(set(p._arrays()) for p in parts))
        labels = set.intersection(*(set(p.labels) for p in parts))
        cameras = [p.camera for p in parts]
        return Poses(
            skeleton=parts[0].skeleton,
            **{name: xp.concat([getattr(p, name) for p in parts], axis=0) for name in shared},
            camera=None if any(c is None for c in cameras) else Camera.cat(cameras),
            labels={name: np.concatenate([p.labels[name] for p in parts]) for name in labels},
        )

    def to(self, skeleton: str | Skeleton) -> "Poses":
        """Return the poses in another joint format (`camerapose.core.conversion.convert`).

        Args:
            skeleton: a format, its name, or a .toml file (`camerapose.core.formats.get`).

        Raises:
            ValueError: unknown name.
        """
        target = formats.get(skeleton) if isinstance(skeleton, str) else skeleton
        columns: dict[str, Any] = {}
        for name in ("pose2d", "pose3d", "refined2d"):
            if getattr(self, name) is not None:
                columns[name], confidence = conversion.convert(
                    getattr(self, name), self.confidence, self.skeleton, target
                )
        return replace(self, skeleton=target, confidence=confidence, **columns)

    def mirror(self) -> "Poses":
        """Left and right exchanged, as if the image and its camera were flipped.

        Distortion flips with the image (p2 changes sign). World extrinsics do not survive and
        become: no rotation, the translation's x negated.
        """

        def swapped(column: Any) -> Any:
            order = _constant(self.skeleton.mirror, None, array_namespace(column), device(column))
            return array_namespace(column).take(column, order, axis=1)

        def negated(column: Any, place: int) -> Any:
            sign = tuple(-1.0 if i == place else 1.0 for i in range(column.shape[-1]))
            xp = array_namespace(column)
            return column * _constant(sign, column.dtype, xp, device(column))

        columns = {
            name: negated(swapped(getattr(self, name)), 0)
            for name in ("pose2d", "pose3d", "refined2d")
            if getattr(self, name) is not None
        }
        camera = self.camera
        if camera is not None:
            distortion = camera.distortion
            camera = Camera(
                focal=camera.focal,
                center=negated(camera.center, 0),
                translation=negated(camera.translation, 0),
                distortion=None if distortion is None else negated(distortion, 4),
            )
        return replace(self, confidence=swapped(self.confidence), camera=camera, **columns)

    def to_torch(self, where: Any = "cpu") -> "Poses":
        """The columns as float32 torch tensors on a device; labels stay numpy."""
        import torch  # the learning side's; the using side never comes here

        poses = self._map(lambda c: torch.as_tensor(c, dtype=torch.float32, device=where))
        return replace(poses, labels=self.labels)

    def to_numpy(self) -> "Poses":
        """The columns as numpy arrays."""
        poses = self._map(lambda c: c.detach().cpu().numpy() if is_torch_array(c) else c)
        return replace(poses, labels=self.labels)

    @property
    def root_position(self) -> Float[Any, "n 3"]:
        """Where the root joint stands in the camera frame, metres."""
        return self._needs("pose3d")[:, self.skeleton.root_index]

    @property
    def reprojection(self) -> Float[Any, "n joints 2"]:
        """The 3D pose as its camera sees it, normalised image coordinates (Eq. 7)."""
        return self._needs("camera").project(self._needs("pose3d"))

    @property
    def reprojection_error(self) -> Float[Any, " n"]:
        """Mean distance of `reprojection` to `pose2d` over the joints seen.

        In pixels where the image size is known, else in normalised units. A pose of which no
        joint is seen has error 0.
        """
        xp = array_namespace(self.pose2d)
        given, again = self.pose2d, self.reprojection
        if self.image_size is not None:
            given, again = (denormalize(p, self.image_size) for p in (given, again))
        distance = xp.sqrt(xp.sum((given - again) ** 2, axis=-1))
        seen = xp.astype(self.confidence > 0, distance.dtype)
        return xp.sum(distance * seen, axis=-1) / xp.clip(xp.sum(seen, axis=-1), min=1)

    @property
    def refinement(self) -> Float[Any, "n joints"]:
        """How far the refinement network moved each joint; NaN where none was seen, or none ran.

        In pixels where the image size is known, else in normalised units.
        """
        xp = array_namespace(self.pose2d)
        if self.refined2d is None:
            return xp.full_like(self.confidence, float("nan"))
        given, moved = self.pose2d, self.refined2d
        if self.image_size is not None:
            given, moved = (denormalize(p, self.image_size) for p in (given, moved))
        distance = xp.sqrt(xp.sum((given - moved) ** 2, axis=-1))
        return xp.where(self.confidence > 0, distance, float("nan") * distance)

    def _needs(self, column: str) -> Any:
        value = getattr(self, column)
        if value is None:
            raise ValueError(f"these poses have no {column}; a Predictor adds it")
        return value

    def columns(self) -> dict[str, Any]:
        """All columns by name, the camera's as `camera_focal` and so on."""
        columns = {name: getattr(self, name) for name in self._arrays()}
        if self.camera is not None:
            for f in fields(Camera):
                value = getattr(self.camera, f.name)
                if value is not None:
                    columns[f"camera_{f.name}"] = value
        return columns | {f"label_{name}": column for name, column in self.labels.items()}

    @staticmethod
    def from_columns(skeleton: Skeleton, columns: Mapping[str, Any]) -> "Poses":
        """The inverse of `columns`; names it does not know are left aside."""
        camera = {f.name: columns.get(f"camera_{f.name}") for f in fields(Camera)}
        needed = ("focal", "center", "translation")
        names = ("pose2d", "confidence", "pose3d", "image_size", "refined2d")
        return Poses(
            skeleton=skeleton,
            **{name: columns[name] for name in names if name in columns},
            camera=Camera(**camera) if all(camera[name] is not None for name in needed) else None,
            labels={
                name.removeprefix("label_"): np.asarray(column)
                for name, column in columns.items()
                if name.startswith("label_")
            },
        )

    def save(self, path: str | os.PathLike, **extra: Any) -> None:
        """Write a .npz (no pickles); whole or not at all."""
        buffer = io.BytesIO()
        arrays = {name: np.asarray(column) for name, column in self.to_numpy().columns().items()}
        np.savez_compressed(buffer, skeleton=formats.definition(self.skeleton), **arrays, **extra)
        path = Path(path)
        temporary = path.with_name(path.name + ".part")
        temporary.write_bytes(buffer.getvalue())
        os.replace(temporary, path)

    @staticmethod
    def load(path: str | os.PathLike) -> "Poses":
        """Read what `save` wrote. ValueError if it is no such file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                columns = {name: file[name] for name in file.files}
        except FileNotFoundError:
            raise
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise ValueError(
                f"{path} can't be read as an .npz of poses ({error}); "
                "give a file that camerapose wrote, or another keypoint format"
            ) from error
        missing = {"skeleton", "pose2d", "confidence"} - set(columns)
        if missing:
            raise ValueError(
                f"{path} is an .npz without {', '.join(sorted(missing))}; it holds "
                f"{', '.join(sorted(columns)) or 'nothing'}. Give a file written by Poses.save"
            )
        try:
            skeleton = formats.get(str(columns.pop("skeleton")))
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"{path}: {error}") from error
        columns = _checked(path, skeleton, columns)
        return Poses.from_columns(skeleton, columns)


def mean(a: Poses, b: Poses) -> Poses:
    """Two predictions for the same rows averaged: 3D, refined 2D and camera; the rest is `a`'s.

    With `b` predicted from the mirrored input and mirrored back, this is test-time mirroring.
    """
    camera = Camera(
        (a.camera.focal + b.camera.focal) / 2,
        (a.camera.center + b.camera.center) / 2,
        (a.camera.translation + b.camera.translation) / 2,
    )
    return replace(
        a,
        pose3d=(a.pose3d + b.pose3d) / 2,
        refined2d=(a.refined2d + b.refined2d) / 2,
        camera=camera,
    )


def _take(column: Any, index: Any) -> Any:
    """Rows of a column; torch's own way for row numbers is five times faster than brackets."""
    if is_torch_array(column) and is_torch_array(index) and index.dtype.is_signed:
        return column.index_select(0, index)
    return column[index]


@cache
def _constant(values: tuple, dtype: Any, xp: Any, where: Any) -> Any:
    """A short array on a device, made once: no copy waits in a loop."""
    if xp.__name__.endswith("torch"):
        import torch  # the learning side's

        with torch.inference_mode(False):  # what was first made in inference also serves training
            return torch.tensor(values, dtype=dtype, device=where)
    return xp.asarray(values, dtype=dtype)


def _checked(
    path: Any, skeleton: Skeleton, columns: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The columns, all of them floating; ValueError if they do not fit together.

    What else a file holds is no matter.
    """
    n, joints = len(columns["confidence"]) if columns["confidence"].ndim else 0, skeleton.n_joints
    fitting = {
        "pose2d": (n, joints, 2), "confidence": (n, joints), "pose3d": (n, joints, 3),
        "refined2d": (n, joints, 2), "image_size": (n, 2), "camera_focal": (n, 2),
        "camera_center": (n, 2), "camera_translation": (n, 3), "camera_rotation": (n, 3, 3),
        "camera_distortion": (n, 5),
    }  # fmt: skip
    for name, column in columns.items():
        wanted = fitting.get(name, (n, *column.shape[1:]) if "label_" in name else column.shape)
        if column.shape != wanted:
            raise ValueError(
                f"{path} holds {name} of shape {column.shape}; {n} poses of {skeleton.name} have "
                f"{wanted}. Give a file written by Poses.save"
            )
        if name in fitting and column.dtype.kind not in "iuf":
            raise ValueError(
                f"{path} holds {name} of {column.dtype}; it should be floating numbers. Give a "
                "file written by Poses.save"
            )
    return {
        name: np.float32(column) if name in fitting and column.dtype.kind in "iu" else column
        for name, column in columns.items()
    }
