# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["mediapipe==0.10.21"]
# ///
"""MediaPipe's speed on a video: runs in an environment of its own, for `video_speed.py`.

For each line on standard input, the video is processed once as in `mediapipe_landmarks.py`, and a
line of JSON is written: frames, seconds, and seconds of processor time of all threads. Networks are
loaded before.
"""

import json
import sys
import time

import cv2
import mediapipe as mp
import numpy as np

COMPLEXITY = {"full": 1, "heavy": 2}


def main() -> None:
    video, model = sys.argv[1:]
    with mp.solutions.pose.Pose(model_complexity=COMPLEXITY[model]) as pose:
        for _ in sys.stdin:
            pose.reset()
            pose.process(np.zeros((64, 64, 3), np.uint8))  # loads the networks
            began, busy = time.perf_counter(), time.process_time()
            reader, frames = cv2.VideoCapture(video), 0
            while True:
                is_read, image = reader.read()
                if not is_read:
                    break
                pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                frames += 1
            reader.release()
            measured = frames, time.perf_counter() - began, time.process_time() - busy
            print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
