"""How often the joint order of a single person without names is accepted.

    python benchmarks/joint_order.py person_keypoints_val2017.json [--half chosen|held_out]

Annotated people of COCO are read one by one, in the right order and in a random one, as a file
without names would be. Thresholds of `io/keypoints/_plausibility.py` were chosen on images with
even numbers (`chosen`); those with odd numbers are held out.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from camerapose.io.keypoints._order import resolve
from camerapose.io.keypoints._people import People

#: Ranges of the number of visible joints, and people of each.
GROUPS, PEOPLE = ((3, 5), (6, 8), (9, 11), (12, 14), (15, 17)), 100


def accepted(keypoints: np.ndarray) -> str:
    """Return the joint format of a person (17, 3), or "refused"."""
    people = People(keypoints[None], usual=("coco_17",))
    try:
        order, _ = resolve(people, keypoints[None, :, 2] > 0, None, Path("file"))
    except ValueError:
        return "refused"
    return order.skeleton.name


def main() -> None:
    """Print the shares of accepted people by the number of visible joints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--half", choices=("chosen", "held_out"), default="held_out")
    options = parser.parse_args()
    remainder = int(options.half == "held_out")
    annotations = [
        np.reshape(entry["keypoints"], (17, 3)).astype(np.float32)
        for entry in json.loads(options.annotations.read_bytes())["annotations"]
        if entry["image_id"] % 2 == remainder and not entry.get("iscrowd")
    ]
    random = np.random.default_rng(remainder)
    print(f"{options.half}: joints, people, accepted as coco_17, otherwise; in random order")
    for low, high in GROUPS:
        group = [k for k in annotations if low <= (k[:, 2] > 0).sum() <= high]
        chosen = [group[i] for i in random.permutation(len(group))[:PEOPLE]]
        right = Counter(accepted(keypoints) for keypoints in chosen)
        mixed = Counter(accepted(keypoints[random.permutation(17)]) for keypoints in chosen)
        n = len(chosen)
        other = n - right["coco_17"] - right["refused"]
        print(f"{low:2}-{high:2} {n:4} {right['coco_17'] / n:7.1%} {other / n:7.1%} "
              f"{1 - mixed['refused'] / n:7.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
