"""3D human pose and camera from images, video or 2D keypoints.

Implements CameraPose (Yang et al., WACV 2023) with extensions. Inference needs no PyTorch.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from camerapose.core import privacy

privacy.disable_telemetry()  # before any dependency that reads the settings is imported

from camerapose.core.camera import Camera  # noqa: E402
from camerapose.core.poses import Poses  # noqa: E402
from camerapose.core.skeleton import Skeleton  # noqa: E402

if TYPE_CHECKING:
    from camerapose.infer.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Camera", "Poses", "Predictor", "Skeleton", "predict"]


def predict(
    source: Any,
    out: Any = None,
    *,
    progress: bool = True,
    log: Callable[[str], None] | None = None,
    **options: Any,
) -> Poses:
    """Predict 3D poses and cameras of the people in images, a video, a webcam or keypoints.

    With `out`, writes `poses.npz` (see `Poses.load`), `poses.json` (see
    `camerapose.io.results.to_dict`) and figures. Video is streamed. If reading fails or is
    interrupted, the results up to there are written before the exception is raised. A webcam is
    ended by an interruption; its poses are also written to `poses.jsonl` while it runs.

    Args:
        source: path of an image, video, keypoint file or folder; pattern, such as `photos/*.jpg`;
            list of image files; number of a webcam; image as array (height, width, 3), RGB, uint8.
        out: folder for result files, created if needed; None writes no files.
        progress: show a progress bar on a terminal.
        log: receives lines of text about the result, such as `print`; None discards them.
        **options: fields of `camerapose.infer.options.PredictOptions`, such as `height=1.75`.

    Returns:
        Numpy columns: 2D, 3D (camera frame, metres, absolute) and camera, with the labels frame,
        person, image and, for video, time. Empty if no person was detected.

    Raises:
        FileNotFoundError, ValueError: the source, the weights or an option cannot be used.
        TypeError: unknown option.
        OSError: a file cannot be written.

    Examples:
        >>> poses = camerapose.predict("walk.mp4", height=1.75)    # doctest: +SKIP
        >>> poses = camerapose.predict("walk.mp4", "result", export=["bvh"])    # doctest: +SKIP
    """
    from camerapose.infer import pipeline
    from camerapose.infer.options import PredictOptions

    return pipeline.predict(
        source,
        out,
        PredictOptions.from_dict(options),
        progress=progress,
        log=log or pipeline.silent,
    )


def __getattr__(name: str) -> Any:
    if name == "Predictor":  # imported on first use, since ONNX Runtime takes time to load
        from camerapose.infer.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
