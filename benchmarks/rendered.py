"""Rendered bodies: PA-MPJPE with a real detector, and the errors of the detector.

    python benchmarks/rendered.py --data data/open                       # weights of the package
    python benchmarks/rendered.py --data data/open runs/mine             # other weights
    python benchmarks/rendered.py --data data/open --errors errors.json  # errors of the detector

DATA contains anny_pairs.npz (docs/datasets.md). Images show the recordings CMU 09, 11, 90, 131 and
fair1, which are never used for training. PA-MPJPE is measured over the twelve limb joints, as
annotated in COCO, of the people who were detected; the error of weights that only predict
Human3.6M's joints includes the different placement of hips and shoulders. "complete" are those with
all twelve joints inside the image. The same people are also measured with true 2D of COCO's joints.

    python benchmarks/rendered.py --data data/open --held-out runs/mine  # for choosing settings

The test is not for choosing settings. `--held-out` measures CMU 05 and 14 in the images for
training instead; weights trained with `data.held_out` (configs/open.toml) have not seen them.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from camerapose.core.joint_formats import COCO_17
from camerapose.data.datasets import anny, rendered
from camerapose.data.datasets.rendered import errors
from camerapose.data.datasets.rendered.content import COCO_23, LIMBS, Rendered
from camerapose.evaluate import metrics
from camerapose.infer.predictor import Predictor


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", nargs="*", default=["open"], help="names, folders or files")
    parser.add_argument("--data", type=Path, default=Path("data/open"), help="default: data/open")
    parser.add_argument("--out", default="", help="folder of the images; default: DATA/rendered")
    parser.add_argument("--detector", default="blazepose")
    parser.add_argument("--model", default="heavy")
    parser.add_argument("--n", type=int, default=1000, help="number of images")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="CMU 05 and 14 of the split train")
    parser.add_argument("--errors", type=Path, help="write the errors of the detector (.json)")
    parser.add_argument("--json", type=Path, help="write the results of the last weights")
    arguments = parser.parse_args()
    raw = rendered.read(
        arguments.data, detector=arguments.detector, model=arguments.model, n=arguments.n,
        split="train" if arguments.held_out else "test", out=arguments.out,
        workers=arguments.workers,
    )  # fmt: skip
    if arguments.held_out:
        subject = [clip.rpartition("/")[0] for clip in raw.clip.tolist()]
        raw = raw.rows(np.isin(subject, anny.HELD_OUT))
    detector = f"{arguments.detector} {arguments.model}".strip()
    print(f"{detector}: {len(raw.matched):,} images, {raw.matched.mean():.1%} detected correctly")
    if arguments.errors:
        arguments.errors.write_text(json.dumps(errors.measure(raw), indent=1) + "\n")
    print(f"{'weights':24}{'2D':12}{'people':>8}{'PA-MPJPE':>10}{'median':>8}{'complete':>10}")
    for weights in arguments.weights:
        rows = measure(Predictor(weights), raw)
        for name, row in rows.items():
            print(
                f"{weights[-23:]:24}{name:12}{row['people']:8}{row['pa_mpjpe']:10.1f}"
                f"{row['median']:8.1f}{row['complete']:10.1f}"
            )
    if arguments.json:
        content = {"row": arguments.json.stem, "seed": 0, "tests": {}, "detector": detector}
        arguments.json.write_text(json.dumps(content | {"rendered": rows}, indent=1) + "\n")


def measure(predictor: Predictor, raw: Rendered) -> dict[str, dict[str, float]]:
    """Return PA-MPJPE in mm: mean, median, and mean over people inside the image."""
    true2d = np.concatenate([raw.pixels[:, :17], raw.visible[:, :17, None] > 0], axis=-1)
    inputs = {"detected": (raw.detected, raw.skeleton), "true": (true2d, COCO_17.name)}
    limbs = [COCO_23.index(joint) for joint in LIMBS]
    complete = (raw.visible[:, limbs] > 0).all(1)
    usable = raw.matched.copy()
    for points, skeleton in inputs.values():
        usable &= predictor.usable(points[..., :2], points[..., 2], skeleton)
    return {
        name: _row(_errors(predictor, raw, points, skeleton, usable), complete[usable])
        for name, (points, skeleton) in inputs.items()
    }


def _errors(predictor, raw, points, skeleton: str, usable) -> np.ndarray:
    """Return the PA-MPJPE (mm) of each person."""
    poses = predictor(
        points[usable][..., :2], points[usable][..., 2], image_size=raw.size[usable],
        skeleton=skeleton,
    )  # fmt: skip
    estimated = poses.to(COCO_17).pose3d[:, [COCO_17.index(joint) for joint in LIMBS]]
    true = raw.coco[usable][:, [COCO_23.index(joint) for joint in LIMBS]]
    error = metrics.pa_mpjpe(torch.from_numpy(estimated).double(), torch.from_numpy(true).double())
    return 1000 * error.numpy()


def _row(error: np.ndarray, complete: np.ndarray) -> dict[str, float]:
    return {
        "people": len(error),
        "pa_mpjpe": float(error.mean()),
        "median": float(np.median(error)),
        "complete": float(error[complete].mean()),
    }


if __name__ == "__main__":
    main()
