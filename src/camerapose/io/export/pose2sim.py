"""Camera calibration in the TOML format of Pose2Sim.

One camera, the median of all poses: static cameras are assumed. As in Pose2Sim, its world has z up.
The axes are such that Pose2Sim's conversion to y up (Y, Z, X) gives the coordinates of the other
exported files. Pose2Sim writes k1, k2, p1, p2 of the distortion; k3 is omitted if it is zero.
Layout: Pose2Sim 0.10, `calibration.py`, `toml_write`.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.io.files import write_text

EXTENSION = ".calib.toml"
#: Rows: the axes of Pose2Sim's world (z up) in the axes of exported files (y up).
WORLD = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def write_camera(path: Path, poses: Poses, ground: Ground | None) -> None:
    """Write the camera `cam_01`.

    Args:
        poses: with cameras and image sizes, of one image size.
        ground: floor at z = 0, below the camera; None: the world has its origin at the camera.

    Raises:
        ValueError: no camera, no image size, several image sizes, or a distortion with k3.
    """
    if poses.camera is None or poses.image_size is None:
        raise ValueError(f"cannot write {path}: the poses have no camera or no image size")
    sizes = np.unique(poses.image_size, axis=0)
    if len(sizes) > 1:
        raise ValueError(
            f"cannot write {path}: the images have {len(sizes)} sizes; a calibration has one camera"
        )
    camera = poses.camera.in_pixels(poses.image_size)
    focal = np.exp(np.median(np.log(np.asarray(camera.focal, float)), axis=0))
    center = np.median(np.asarray(camera.center, float), axis=0)
    rotation, translation = _extrinsics(ground)
    lines = [
        "[cam_01]",
        'name = "cam_01"',
        f"size = {_list(sizes[0])}",
        f"matrix = [ {_list([focal[0], 0, center[0]])}, {_list([0, focal[1], center[1]])}, "
        f"{_list([0, 0, 1])}]",
        f"distortions = {_list(_distortion(path, poses))}",
        f"rotation = {_list(rotation)}",
        f"translation = {_list(translation)}",
        "fisheye = false",
        "",
        "[metadata]",
        "adjusted = false",
        "error = 0.0",
    ]
    write_text(path, "\n".join(lines) + "\n")


def _extrinsics(ground: Ground | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotation vector and the translation from the world to the camera."""
    if ground is None:
        ground = Ground(np.diag([1.0, -1.0, -1.0]), 0.0)
    # Exported points: axes @ camera + (0, height, 0). World: WORLD @ exported points.
    to_world = WORLD @ ground.axes
    translation = -to_world.T @ WORLD @ np.array([0.0, ground.camera_height, 0.0])
    return rotation_vector(to_world.T), translation


def rotation_vector(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """Return axis times angle (radians) of a rotation matrix; its angle is at most pi."""
    # The eigenvector of the eigenvalue 1 is exact for half turns as well.
    values, vectors = np.linalg.eigh((rotation + rotation.T) / 2)
    axis = vectors[:, int(np.argmax(values))]
    skew = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0],
                     rotation[1, 0] - rotation[0, 1]])  # fmt: skip
    return axis * np.arctan2(skew @ axis, np.trace(rotation) - 1)


def _distortion(path: Path, poses: Poses) -> Float[np.ndarray, "4"]:
    assert poses.camera is not None
    if poses.camera.distortion is None:
        return np.zeros(4)
    k1, k2, k3, p1, p2 = np.median(np.asarray(poses.camera.distortion, float), axis=0)
    if k3 != 0:
        raise ValueError(f"cannot write {path}: Pose2Sim has no k3, which is {k3:g} here")
    return np.array([k1, k2, p1, p2])


def _list(values: object) -> str:
    return "[ " + ", ".join(repr(round(float(value), 9)) for value in np.asarray(values)) + "]"
