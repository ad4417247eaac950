"""Predict the sample video of `camerapose demo`."""

from importlib.resources import as_file, files
from pathlib import Path

from camerapose.core.poses import Poses
from camerapose.infer.options import Log, PredictOptions
from camerapose.infer.pipeline import predict, silent
from camerapose.io.assets import asset

#: Frames per second of the sample video.
SAMPLE_FPS = 30.0


def demo(out: Path, log: Log = silent) -> Poses:
    """Predict the two people in a sample video.

    The video (from the package sports2d, BSD-3) and the models of the detector are downloaded
    once. If they are not available, keypoints of the same video from this package are lifted.

    Args:
        out: folder for the results.
        log: receives lines of text.
    """
    try:
        for name in ("pose_detection.tflite", "pose_landmark_full.tflite"):
            asset(name)
        video = asset("demo.mp4")
    except OSError as error:
        log(f"{error}\nusing the keypoints in this package instead")
        with as_file(files("camerapose") / "samples" / "demo_keypoints.npz") as keypoints:
            return predict(keypoints, out, PredictOptions(fps=SAMPLE_FPS), log=log)
    return predict(video, out, PredictOptions(max_people=2), log=log)
