"""3D human pose and camera from 2D keypoints: CameraPose (Yang et al., WACV 2023) and beyond."""

from typing import Any

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

__version__ = "0.1.0"
__all__ = ["Camera", "Poses", "Predictor", "Skeleton"]


def __getattr__(name: str) -> Any:
    if name == "Predictor":  # imports ONNX Runtime, which values alone don't need
        from camerapose.infer.pipeline import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
