"""Cameras in normalised image coordinates, for numpy arrays and torch tensors alike.

A pixel (u, v) of an image of width w and height h stands at (2u/w - 1, 2v/w - h/w): x runs from
-1 to 1, the aspect is kept, and a focal length of 1 is a field of view of 90 degrees across.
Camera frame: x right, y down, z forward, metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from jaxtyping import Float

#: Points nearer than this (metres), or behind the camera, are projected as if they were here.
NEAREST = 0.05


def _image_size(image_size: Any, like: Any) -> Any:
    """Image sizes as an array of shape (..., 1, 2) beside points of shape (..., joints, 2)."""
    xp = array_namespace(like)
    size = xp.asarray(image_size, dtype=like.dtype)
    size = size.to(like.device) if is_torch_array(size) else size
    return size[..., None, :]


def normalize(
    keypoints: Float[Any, "*batch joints 2"], image_size: Any
) -> Float[Any, "*batch joints 2"]:
    """Pixels to normalised image coordinates.

    Args:
        image_size: (width, height) of all images, or one row a pose.
    """
    size = _image_size(image_size, keypoints)
    return (keypoints * 2 - size) / size[..., :1]


def denormalize(
    pose2d: Float[Any, "*batch joints 2"], image_size: Any
) -> Float[Any, "*batch joints 2"]:
    """Normalised image coordinates to pixels: the inverse of `normalize`."""
    size = _image_size(image_size, pose2d)
    return (pose2d * size[..., :1] + size) / 2


@dataclass(frozen=True)
class Camera:
    """N cameras, column by column.

    Attributes:
        focal: f_x, f_y in normalised units (CameraPose, Eq. 5).
        center: principal point c_x, c_y in normalised units (0, 0 is the image's middle).
        translation: x_cam = R x + t, metres. For a predicted camera x is the root-relative pose,
            so t is where the root stands (Eq. 6).
        rotation: world to camera; None where poses live in the camera frame already.
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
        return self.map(lambda column: column[index])

    def map(self, function) -> "Camera":
        """A camera whose every column went through `function`."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return Camera(**{k: v if v is None else function(v) for k, v in columns.items()})

    @staticmethod
    def cat(cameras: Sequence["Camera"]) -> "Camera":
        """All cameras in one; a column stays only where every camera has it.

        Distortion is the exception: a camera without one has the distortion zero.
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
        """World to camera frame, x_cam = R x + t."""
        if self.rotation is not None:
            world = world @ array_namespace(world).matrix_transpose(self.rotation)
        return world + self.translation[:, None, :]

    def to_world(self, points: Float[Any, "n joints 3"]) -> Float[Any, "n joints 3"]:
        """Camera frame to world, x = R^T (x_cam - t)."""
        points = points - self.translation[:, None, :]
        return points if self.rotation is None else points @ self.rotation

    def project(self, points: Float[Any, "n joints 3"]) -> Float[Any, "n joints 2"]:
        """Project points of the camera frame to normalised image coordinates.

        Depth is clamped to `NEAREST`, so points behind the camera give finite, wrong places.

        Source: CameraPose, Eq. 7 (pinhole); Brown (1966) for the distortion.
        """
        xp = array_namespace(points)
        xy = points[..., :2] / xp.clip(points[..., 2:], min=NEAREST)
        if self.distortion is not None:
            xy = _distort(xy, self.distortion)
        return xy * self.focal[:, None, :] + self.center[:, None, :]

    def in_pixels(self, image_size: Any) -> "Camera":
        """The same cameras with focal lengths and principal points in pixels of the image.

        Args:
            image_size: (width, height) of all images, or one row a camera.
        """
        size = _image_size(image_size, self.focal)[..., 0, :]
        width = size[..., :1]
        return replace(self, focal=self.focal * width / 2, center=(self.center * width + size) / 2)

    @property
    def matrix(self) -> np.ndarray:
        """Intrinsic matrices (n, 3, 3) of Eq. 5, in the unit of focal and center (numpy)."""
        matrix = np.zeros((len(self), 3, 3))
        matrix[:, 0, 0], matrix[:, 1, 1] = self.focal[:, 0], self.focal[:, 1]
        matrix[:, :2, 2], matrix[:, 2, 2] = self.center, 1.0
        return matrix


def _distort(xy: Any, distortion: Any) -> Any:
    """Brown-Conrady distortion of points on the plane at depth one."""
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
