"""Cameras and normalised image coordinates, for numpy arrays and torch tensors.

A pixel (u, v) of an image of width w and height h has the normalised coordinates
(2u/w - 1, 2v/w - h/w): x runs from -1 to 1, the aspect ratio is kept, and a focal length of 1 is a
horizontal field of view of 90 degrees. Camera frame: x right, y down, z forward, metres.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from jaxtyping import Float

from camerapose.core.values import equal, row_index, take_rows, to_numpy

#: Smallest depth in projections, metres: closer points, and points behind the camera, are projected
#: as if they had this depth.
MIN_DEPTH = 0.05


def normalize(
    keypoints: Float[Any, "*batch joints 2"], image_size: Any
) -> Float[Any, "*batch joints 2"]:
    """Convert pixels to normalised image coordinates.

    Args:
        image_size: (width, height) of all images, or one row per pose.
    """
    size = _image_size(image_size, keypoints)
    return (keypoints * 2 - size) / size[..., :1]


def denormalize(
    pose2d: Float[Any, "*batch joints 2"], image_size: Any
) -> Float[Any, "*batch joints 2"]:
    """Convert normalised image coordinates to pixels: the inverse of `normalize`."""
    size = _image_size(image_size, pose2d)
    return (pose2d * size[..., :1] + size) / 2


def _image_size(image_size: Any, like: Any) -> Any:
    """Return image sizes as an array of shape (..., 1, 2) for points (..., joints, 2)."""
    xp = array_namespace(like)
    size = xp.asarray(image_size, dtype=like.dtype)
    size = size.to(like.device) if is_torch_array(size) else size
    return size[..., None, :]


@dataclass(frozen=True, eq=False, repr=False)
class Camera:
    """N cameras, column by column; numpy arrays or torch tensors.

    `len`, indexing and `==` work as for `Poses`: an integer gives a `Camera` of length one, and
    cameras are compared by value.

    Attributes:
        focal: f_x, f_y in normalised units (CameraPose, Eq. 5).
        center: principal point c_x, c_y in normalised units; (0, 0) is the image centre.
        translation: t in x_cam = R x + t, metres. For a predicted camera, x is the root-relative
            pose, so t is the position of the root joint (Eq. 6).
        rotation: world to camera; None if poses are in the camera frame.
        distortion: k1, k2, k3 (radial), p1, p2 (tangential) of Brown and Conrady; None: pinhole.
    """

    focal: Float[Any, "n 2"]
    center: Float[Any, "n 2"]
    translation: Float[Any, "n 3"]
    rotation: Float[Any, "n 3 3"] | None = None
    distortion: Float[Any, "n 5"] | None = None

    def __len__(self) -> int:
        return self.focal.shape[0]

    def __getitem__(self, index: Any) -> "Camera":
        """Return the cameras of an integer (length one), a slice, a mask or an index array."""
        index = row_index(index, len(self))
        return self.map(lambda column: take_rows(column, index))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Camera):
            return NotImplemented
        return all(equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = [f.name for f in fields(self) if getattr(self, f.name) is not None]
        return f"Camera(n={len(self)}, columns=[{', '.join(names)}])"

    def map(self, function: Callable[[Any], Any]) -> "Camera":
        """Return a camera with a function applied to every column."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return Camera(**{k: v if v is None else function(v) for k, v in columns.items()})

    @staticmethod
    def cat(cameras: Sequence["Camera"]) -> "Camera":
        """Concatenate cameras; the rotation is kept only if every camera has it.

        A camera without distortion gets the distortion zero if another one has distortion.
        """
        xp = array_namespace(cameras[0].focal)
        if any(c.distortion is not None for c in cameras):
            cameras = [
                c if c.distortion is not None
                else replace(c, distortion=xp.zeros((len(c), 5), dtype=c.focal.dtype))
                for c in cameras
            ]  # fmt: skip
        columns = {}
        for field in fields(Camera):
            parts = [getattr(c, field.name) for c in cameras]
            missing = any(p is None for p in parts)
            columns[field.name] = None if missing else xp.concat(parts, axis=0)
        return Camera(**columns)

    def to_camera(self, world: Float[Any, "n joints 3"]) -> Float[Any, "n joints 3"]:
        """Transform points from the world to the camera frame: x_cam = R x + t."""
        if self.rotation is not None:
            world = world @ array_namespace(world).matrix_transpose(self.rotation)
        return world + self.translation[:, None, :]

    def to_world(self, points: Float[Any, "n joints 3"]) -> Float[Any, "n joints 3"]:
        """Transform points from the camera frame to the world: x = R^T (x_cam - t)."""
        points = points - self.translation[:, None, :]
        return points if self.rotation is None else points @ self.rotation

    def project(self, points: Float[Any, "n joints 3"]) -> Float[Any, "n joints 2"]:
        """Project points of the camera frame to normalised image coordinates.

        Depth is clamped to `MIN_DEPTH`, so points behind the camera give finite but wrong results.

        Source: CameraPose, Eq. 7 (pinhole); Brown (1966) for the distortion.
        """
        xp = array_namespace(points)
        xy = points[..., :2] / xp.clip(points[..., 2:], min=MIN_DEPTH)
        if self.distortion is not None:
            xy = _distort(xy, self.distortion)
        return xy * self.focal[:, None, :] + self.center[:, None, :]

    def in_pixels(self, image_size: Any) -> "Camera":
        """Return the cameras with focal lengths and principal points in pixels.

        Args:
            image_size: (width, height) of all images, or one row per camera.
        """
        size = _image_size(image_size, self.focal)[..., 0, :]
        width = size[..., :1]
        return replace(self, focal=self.focal * width / 2, center=(self.center * width + size) / 2)

    @property
    def matrix(self) -> Float[np.ndarray, "n 3 3"]:
        """Intrinsic matrices of Eq. 5, numpy (n, 3, 3), in the unit of focal and center."""
        focal, matrix = to_numpy(self.focal), np.zeros((len(self), 3, 3))
        matrix[:, 0, 0], matrix[:, 1, 1] = focal[:, 0], focal[:, 1]
        matrix[:, :2, 2], matrix[:, 2, 2] = to_numpy(self.center), 1.0
        return matrix


def _distort(xy: Any, distortion: Any) -> Any:
    """Apply Brown-Conrady distortion to points on the plane at depth one."""
    k1, k2, k3, p1, p2 = (distortion[:, None, i] for i in range(5))
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return array_namespace(xy).stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )
