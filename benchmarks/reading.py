"""Time and memory of reading the keypoints of many people.

    python benchmarks/reading.py [PEOPLE]

Writes COCO annotations, COCO results and AlphaPose results into a temporary folder, and reads each
in a process of its own. The goals for one million people are 20 s of processor time and 1 GB.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from camerapose.core import joint_formats
from camerapose.io import keypoints

#: A person who stands upright, COCO's 17 joints; pixels.
PERSON = [(300, 50), (310, 40), (290, 40), (325, 45), (275, 45), (350, 130), (250, 130), (380, 220),
          (220, 220), (390, 300), (210, 300), (335, 320), (265, 320), (340, 460), (260, 460),
          (345, 600), (255, 600)]  # fmt: skip
SIZE = (1280, 720)
JOINTS = list(joint_formats.get("coco_17").joints)
#: Number of different people; they repeat.
DIFFERENT = 1000


def write(kind: str, people: int, path: Path) -> None:
    """Write a file with two people per image."""
    random = np.random.default_rng(0)
    points = np.array(PERSON) + random.normal(scale=3, size=(DIFFERENT, 17, 2))
    scores = random.uniform(0.5, 1, (DIFFERENT, 17, 1))
    if kind == "coco":
        scores = np.full_like(scores, 2)
    values = np.concatenate([points, scores], axis=-1).reshape(DIFFERENT, -1).round(3).tolist()
    with open(path, "w") as file:
        if kind == "coco":
            file.write(json.dumps({"categories": [{"id": 1, "name": "person",
                                                   "keypoints": JOINTS}]})[:-1])  # fmt: skip
            images = [
                {"id": i, "file_name": f"{i:012d}.jpg", "width": SIZE[0], "height": SIZE[1]}
                for i in range(people // 2)
            ]
            file.write(f', "images": {json.dumps(images)}, "annotations": ')
        for i in range(people):
            entry = {"image_id": f"{i // 2}.jpg" if kind == "alphapose" else i // 2,
                     "category_id": 1, "bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.9,
                     "keypoints": values[i % DIFFERENT]}  # fmt: skip
            if kind == "alphapose":
                entry["idx"] = [float(i % 2)]
            file.write(("," if i else "[") + json.dumps(entry))
        file.write("]}" if kind == "coco" else "]")


def measure(path: str) -> None:
    """Read a file; print processor time and the peak memory of the process."""
    began = time.process_time()
    poses = keypoints.read(path, image_size=SIZE)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{Path(path).stem:10} {len(poses):9,} people {time.process_time() - began:6.1f} s "
          f"{peak:6.0f} MB")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith(".json"):
        measure(sys.argv[1])
    else:
        n_people = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
        with tempfile.TemporaryDirectory() as folder:
            for name in ("coco", "results", "alphapose"):
                file_path = Path(folder) / f"{name}.json"
                write(name, n_people, file_path)
                subprocess.run([sys.executable, __file__, str(file_path)], check=True)
                file_path.unlink()
