"""`Poses`: N poses, column by column; a data set, a clip or a batch."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array
from jaxtyping import Float

from camerapose.core import archive, conversion, joint_formats
from camerapose.core.camera import Camera, denormalize
from camerapose.core.plugins import load_function
from camerapose.core.skeleton import Skeleton
from camerapose.core.values import constant, equal, row_index, take_rows, to_numpy

#: Columns with one row per pose, and the shape of a row ("joints": of the skeleton).
_SHAPES: dict[str, tuple[int | str, ...]] = {
    "pose2d": ("joints", 2),
    "confidence": ("joints",),
    "pose3d": ("joints", 3),
    "image_size": (2,),
    "refined2d": ("joints", 2),
    "pose3d_std": ("joints",),
}


@dataclass(frozen=True, eq=False, repr=False)
class Poses:
    """N poses with 2D, and optionally 3D and cameras; numpy arrays or torch tensors.

    `len`, iteration and indexing work on poses: an integer gives `Poses` of length one; slices,
    masks and index arrays give several. `==` compares skeleton, columns and labels by value and
    returns a bool; NaN equals NaN, and numpy arrays equal torch tensors of the same values. Poses
    are not hashable.

    Attributes:
        skeleton: joint format of all columns.
        pose2d: normalised image coordinates (`camerapose.core.camera`).
        confidence: 0 (not visible; coordinates are finite but meaningless) to 1 (certain).
        pose3d: metres, absolute, in the camera frame, or in the axes of a world if the camera has a
            rotation (`camerapose.infer.clip.align`); None for 2D poses.
        camera: None if unknown.
        image_size: width and height, pixels; None if unknown.
        refined2d: output of the refinement network, or the projection of `pose3d` by a network
            without one; None if no network ran.
        labels: further columns (numpy), one value per pose: subject, action, frame, person, ...
        pose3d_std: predicted standard deviation per coordinate of the root-relative position,
            metres; None if the model does not predict it.

    Raises:
        ValueError: columns whose shapes do not fit the skeleton or each other.

    Examples:
        >>> poses = Poses(joint_formats.COCO_17, np.zeros((3, 17, 2)), np.ones((3, 17)))
        >>> len(poses), len(poses[0]), len(poses[1:]), poses[0] == poses[-1]
        (3, 1, 2, True)
        >>> poses.to("h36m_16")
        Poses(n=3, skeleton='h36m_16', columns=[pose2d, confidence])
    """

    skeleton: Skeleton
    pose2d: Float[Any, "n joints 2"]
    confidence: Float[Any, "n joints"]
    pose3d: Float[Any, "n joints 3"] | None = None
    camera: Camera | None = None
    image_size: Float[Any, "n 2"] | None = None
    refined2d: Float[Any, "n joints 2"] | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    pose3d_std: Float[Any, "n joints"] | None = None

    def __post_init__(self) -> None:
        joints, shape = self.skeleton.n_joints, tuple(self.pose2d.shape)
        if len(shape) == 3 and shape[1] != joints:
            raise ValueError(
                f"pose2d has {shape[1]} joints but {self.skeleton.name} has {joints}; give the "
                f"skeleton of the poses (known: {', '.join(joint_formats.FORMATS)})"
            )
        n = shape[0] if shape else 0
        for name in self._arrays():
            expected = (n, *(joints if size == "joints" else size for size in _SHAPES[name]))
            if tuple(getattr(self, name).shape) != expected:
                raise ValueError(
                    f"{name} has shape {tuple(getattr(self, name).shape)}; {n} poses of "
                    f"{self.skeleton.name} need {expected}"
                )
        lengths = {f"label {name}": len(column) for name, column in self.labels.items()}
        if self.camera is not None:
            lengths["camera"] = len(self.camera)
        for name, length in lengths.items():
            if length != n:
                raise ValueError(f"{name} has {length} rows; {n} poses need one row each")

    def __len__(self) -> int:
        return self.pose2d.shape[0]

    def __getitem__(self, index: Any) -> "Poses":
        """Return the poses of an integer (length one), a slice, a mask or an index array."""
        index = row_index(index, len(self))
        poses = self._map(lambda column: take_rows(column, index))
        if not self.labels:  # avoids copying the index from its device
            return poses
        rows = to_numpy(index)
        return replace(poses, labels={name: column[rows] for name, column in self.labels.items()})

    def __iter__(self) -> Iterator["Poses"]:
        """Iterate over the poses, each as `Poses` of length one."""
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Poses):
            return NotImplemented
        a, b = self.columns(), other.columns()
        same = self.skeleton == other.skeleton and a.keys() == b.keys()
        return same and all(equal(column, b[name]) for name, column in a.items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        columns = [name for name in self._arrays() if name != "image_size"]
        columns += [] if self.camera is None else ["camera"]
        parts = [f"n={len(self)}", f"skeleton={self.skeleton.name!r}"]
        parts.append(f"columns=[{', '.join(columns)}]")
        if self.image_size is not None and len(self):
            sizes = np.unique(to_numpy(self.image_size), axis=0)
            text = f"{sizes[0][0]:g}x{sizes[0][1]:g}" if len(sizes) == 1 else f"{len(sizes)} sizes"
            parts.append(f"image_size={text}")
        if self.labels:
            parts.append(f"labels=[{', '.join(self.labels)}]")
        if is_torch_array(self.pose2d):
            parts.append(f"device={str(self.pose2d.device)!r}")
        return f"Poses({', '.join(parts)})"

    def _map(self, function: Callable[[Any], Any]) -> "Poses":
        columns = {name: function(getattr(self, name)) for name in self._arrays()}
        camera = self.camera and self.camera.map(function)
        return replace(self, **columns, camera=camera, labels={})

    def _arrays(self) -> list[str]:
        return [name for name in _SHAPES if getattr(self, name) is not None]

    @staticmethod
    def cat(parts: Sequence["Poses"]) -> "Poses":
        """Concatenate poses; a column or label is kept only if every part has it.

        Raises:
            ValueError: no parts, or different joint formats.
        """
        if not parts:
            raise ValueError("there are no poses to concatenate; pass at least one part")
        names = {p.skeleton.name for p in parts}
        if len(names) != 1:
            raise ValueError(
                f"poses of {len(names)} joint formats ({', '.join(sorted(names))}) cannot be "
                "concatenated; convert them with .to(skeleton)"
            )
        xp = array_namespace(parts[0].pose2d)
        shared = set.intersection(*(set(p._arrays()) for p in parts))
        labels = [name for name in parts[0].labels if all(name in p.labels for p in parts)]
        cameras = [p.camera for p in parts if p.camera is not None]
        columns: dict[str, Any] = {
            name: xp.concat([getattr(p, name) for p in parts], axis=0) for name in shared
        }
        return Poses(
            skeleton=parts[0].skeleton,
            camera=Camera.cat(cameras) if len(cameras) == len(parts) else None,
            labels={name: np.concatenate([p.labels[name] for p in parts]) for name in labels},
            **columns,
        )

    def to(self, skeleton: str | Skeleton) -> "Poses":
        """Return the poses in another joint format (`camerapose.core.conversion.convert`).

        Args:
            skeleton: a format, its name, or a .toml file (`camerapose.core.joint_formats.get`).

        Raises:
            ValueError: unknown name.
        """
        target = joint_formats.get(skeleton) if isinstance(skeleton, str) else skeleton
        columns: dict[str, Any] = {}
        for name in ("pose2d", "pose3d", "refined2d"):
            if getattr(self, name) is not None:
                columns[name], columns["confidence"] = conversion.convert(
                    getattr(self, name), self.confidence, self.skeleton, target
                )
        if self.pose3d_std is not None:
            columns["pose3d_std"] = conversion.convert_std(self.pose3d_std, self.skeleton, target)
        return replace(self, skeleton=target, **columns)

    def mirror(self) -> "Poses":
        """Return the poses with left and right exchanged, as if image and camera were flipped.

        Distortion flips with the image (p2 changes sign). World extrinsics are lost: there is no
        rotation, and the x component of the translation is negated.
        """

        def swapped(column: Any) -> Any:
            xp = array_namespace(column)
            order = constant(self.skeleton.mirror, None, xp, device(column))
            return xp.take(column, order, axis=1)

        def negated(column: Any, component: int) -> Any:
            sign = tuple(-1.0 if i == component else 1.0 for i in range(column.shape[-1]))
            return column * constant(sign, column.dtype, array_namespace(column), device(column))

        columns = {
            name: negated(swapped(getattr(self, name)), 0)
            for name in ("pose2d", "pose3d", "refined2d")
            if getattr(self, name) is not None
        }
        if self.pose3d_std is not None:
            columns["pose3d_std"] = swapped(self.pose3d_std)
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

    def to_torch(self, device: Any = "cpu") -> "Poses":
        """Return the columns as float32 torch tensors on a device; labels stay numpy."""
        import torch  # only training calls this

        poses = self._map(lambda c: torch.as_tensor(c, dtype=torch.float32, device=device))
        return replace(poses, labels=self.labels)

    def to_numpy(self) -> "Poses":
        """Return the columns as numpy arrays."""
        return replace(self._map(to_numpy), labels=self.labels)

    @property
    def root_position(self) -> Float[Any, "n 3"]:
        """Position of the root joint in the camera frame, metres."""
        return self._required("pose3d")[:, self.skeleton.root_index]

    @property
    def reprojection(self) -> Float[Any, "n joints 2"]:
        """Projection of the 3D poses, normalised image coordinates (CameraPose, Eq. 7).

        Poses of cameras with a rotation are in world axes; their root is at the translation.
        """
        camera, pose3d = self._required("camera"), self._required("pose3d")
        if camera.rotation is None:
            return camera.project(pose3d)
        return camera.project(camera.to_camera(pose3d - self.root_position[:, None]))

    @property
    def reprojection_error(self) -> Float[Any, " n"]:
        """Mean distance of `reprojection` to `pose2d` over the visible joints.

        In pixels if the image size is known, else in normalised units. A pose without visible
        joints has the error 0.
        """
        xp = array_namespace(self.pose2d)
        distance = self._image_distance(self.pose2d, self.reprojection)
        visible = xp.astype(self.confidence > 0, distance.dtype)
        return xp.sum(distance * visible, axis=-1) / xp.clip(xp.sum(visible, axis=-1), min=1)

    @property
    def refinement(self) -> Float[Any, "n joints"]:
        """Distance by which the refinement network moved each joint; NaN where not visible.

        In pixels if the image size is known, else in normalised units. NaN without `refined2d`, and
        for formats with several definitions of a joint, whose networks have no refinement.
        """
        xp = array_namespace(self.pose2d)
        if self.refined2d is None or conversion.has_definitions(self.skeleton):
            return xp.full_like(self.confidence, float("nan"))
        distance = self._image_distance(self.pose2d, self.refined2d)
        return xp.where(self.confidence > 0, distance, float("nan") * distance)

    def _image_distance(self, a: Any, b: Any) -> Any:
        if self.image_size is not None:
            a, b = (denormalize(points, self.image_size) for points in (a, b))
        xp = array_namespace(a)
        return xp.sqrt(xp.sum((a - b) ** 2, axis=-1))

    def _required(self, column: str) -> Any:
        value = getattr(self, column)
        if value is None:
            raise ValueError(f"these poses have no {column}; pass the result of a Predictor")
        return value

    def columns(self) -> dict[str, Any]:
        """Return all columns by name; those of the camera as `camera_focal` etc."""
        columns = {name: getattr(self, name) for name in self._arrays()}
        if self.camera is not None:
            for f in fields(Camera):
                value = getattr(self.camera, f.name)
                if value is not None:
                    columns[f"camera_{f.name}"] = value
        return columns | {f"label_{name}": column for name, column in self.labels.items()}

    @staticmethod
    def from_columns(skeleton: Skeleton, columns: Mapping[str, Any]) -> "Poses":
        """Return the poses of `columns()`; unknown names are ignored."""
        camera = {f.name: columns.get(f"camera_{f.name}") for f in fields(Camera)}
        known = all(camera[name] is not None for name in ("focal", "center", "translation"))
        arrays: dict[str, Any] = {name: columns[name] for name in _SHAPES if name in columns}
        return Poses(
            skeleton=skeleton,
            camera=Camera(**camera) if known else None,
            labels={
                name.removeprefix("label_"): np.asarray(column)
                for name, column in columns.items()
                if name.startswith("label_")
            },
            **arrays,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the content of a JSON result: lists, numbers and strings (`io.results`).

        Coordinates are pixels and metres.
        """
        return load_function("io.results", "to_dict")(self.to_numpy())

    def plot(self, image: Any = None) -> Any:
        """Draw the poses; return a matplotlib figure (`camerapose.view.plot`).

        Args:
            image: uint8 (height, width, 3) RGB image of the poses; None: plain background.
        """
        return load_function("view.plot", "plot")(self.to_numpy(), image)

    def save(self, path: str | os.PathLike[str], **extra: Any) -> None:
        """Write the poses to a file in the format of its suffix, atomically.

        .npz contains all columns and is read by `load`; .json is described in
        `camerapose.io.results`; other suffixes are export formats (`camerapose.io.export`), which
        contain 3D joint positions only.

        Args:
            path: ends in .npz, .json, .csv, .trc, .c3d, .bvh or .glb.
            extra: further arrays to store in an .npz.

        Raises:
            ValueError: unknown suffix, or columns are missing that the format needs.
            OSError: the file cannot be written.
        """
        suffix, poses = Path(path).suffix.lower(), self.to_numpy()
        if extra and suffix != ".npz":
            raise ValueError(f"extra arrays ({', '.join(extra)}) need an .npz file, not {path}")
        if suffix == ".npz":
            archive.write(path, self.skeleton, poses.columns(), **extra)
        elif suffix == ".json":
            load_function("io.results", "write_json")(poses, path)
        else:
            load_function("io.export", "write")(poses, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Poses":
        """Read an .npz that `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a file that `save` wrote.
        """
        return Poses.from_columns(*archive.read(path))


def mean(a: Poses, b: Poses) -> Poses:
    """Return the mean of two predictions for the same poses: 3D, its std, refined 2D and cameras.

    Other columns are those of `a`. With `b` predicted from the mirrored input and mirrored back,
    this is flip averaging.
    """
    first, second = a._required("camera"), b._required("camera")
    camera = Camera(
        (first.focal + second.focal) / 2,
        (first.center + second.center) / 2,
        (first.translation + second.translation) / 2,
    )
    pose3d, refined2d = (
        (a._required(name) + b._required(name)) / 2 for name in ("pose3d", "refined2d")
    )
    std = None
    if a.pose3d_std is not None and b.pose3d_std is not None:
        std = (a.pose3d_std + b.pose3d_std) / 2
    return replace(a, pose3d=pose3d, refined2d=refined2d, camera=camera, pose3d_std=std)
