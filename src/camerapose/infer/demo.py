"""`camerapose demo`: the sample video through the whole path, or as much of it as can be had."""

from importlib.resources import as_file, files
from pathlib import Path

from camerapose.core.poses import Poses
from camerapose.infer.pipeline import predict
from camerapose.io.assets import asset


def demo(out: Path) -> Poses:
    """3D poses and cameras of the two people in a sample video, into a folder.

    The video (from the package sports2d, BSD-3) and the detector's models are fetched once. Where
    they can't be had, the demo starts from keypoints of the same video that come with this
    package, and says so.
    """
    try:
        for name in ("pose_detection.tflite", "pose_landmark_full.tflite"):
            asset(name)
        video = asset("demo.mp4")
    except OSError as error:
        print(f"{error}\nso the demo starts from keypoints that come with the package")
        with as_file(files("camerapose") / "samples" / "demo_keypoints.npz") as keypoints:
            return predict(keypoints, out)
    return predict(video, out, max_people=2)
