# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["mediapipe==0.10.21"]
# ///
"""MediaPipe's landmarks of videos: runs in an environment of its own, for `peers.py`.

    python -m venv mp && mp/bin/pip install mediapipe==0.10.21
    mp/bin/python benchmarks/mediapipe_landmarks.py --model heavy.tflite -o a.npz *.mp4

The legacy solution with `model_complexity=2` (heavy) and tracking, as documented by MediaPipe.
--model is BlazePose heavy (pose_landmark_heavy.tflite), which the package lacks and otherwise
downloads: camerapose keeps it in its cache (`camerapose.io.assets`). Per video, named by its stem:
(frames, 33, 7): x and y in pixels, visibility, world x, y, z in metres, and whether a person was
detected.
"""

import argparse
import shutil
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np

HEAVY = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, help="pose_landmark_heavy.tflite")
    parser.add_argument("-o", "--out", type=Path, required=True, help=".npz file")
    arguments = parser.parse_args()
    if arguments.model:
        folder = Path(mp.__file__).parent / "modules" / "pose_landmark"
        shutil.copyfile(arguments.model, folder / "pose_landmark_heavy.tflite")
    rows = {video.stem: landmarks(video) for video in arguments.videos}
    np.savez_compressed(arguments.out, mediapipe=np.array(mp.__version__), **rows)


def landmarks(video: Path) -> np.ndarray:
    """Return the landmarks of all frames (frames, 33, 7); zeros without a person."""
    reader, rows = cv2.VideoCapture(str(video)), []
    with mp.solutions.pose.Pose(model_complexity=HEAVY) as pose:
        while True:
            is_read, image = reader.read()
            if not is_read:
                break
            height, width = image.shape[:2]
            result = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            row = np.zeros((33, 7), np.float32)
            if result.pose_landmarks:
                for i, (here, world) in enumerate(
                    zip(
                        result.pose_landmarks.landmark,
                        result.pose_world_landmarks.landmark,
                        strict=True,
                    )
                ):
                    row[i] = (
                        here.x * width, here.y * height, here.visibility,
                        world.x, world.y, world.z, 1,
                    )  # fmt: skip
            rows.append(row)
    reader.release()
    return np.array(rows)


if __name__ == "__main__":
    main()
