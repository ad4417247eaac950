"""Accuracy on held-out motion capture with simulated detections: what settings are chosen by.

    python benchmarks/held_out.py --data DIR                    # the weights of the package
    python benchmarks/held_out.py --data DIR default runs/open  # several

Subjects CMU 05 and 14 on `anny` bodies (docs/datasets.md), seen by the cameras of the data engine,
in the joints of COCO: clean 2D and simulated detections. PA-MPJPE over the twelve limb joints in mm
with flip averaging. Weights of `configs/open.toml` are trained without these subjects.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from camerapose.core.camera import Camera
from camerapose.core.joint_formats import BODY_46, COCO_17
from camerapose.core.poses import Poses
from camerapose.data.augment.engine import EngineOptions, simulate
from camerapose.data.augment.joint_definitions import LIMBS
from camerapose.data.datasets import anny
from camerapose.data.level_view import to_world
from camerapose.evaluate import metrics
from camerapose.infer.predictor import Predictor

SEED = 11


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", nargs="*", default=["open"], help="names, folders or files")
    parser.add_argument("--data", type=Path, required=True, help="folder of anny_pairs.npz")
    parser.add_argument("--poses", type=int, default=2000, help="number of poses")
    arguments = parser.parse_args()
    tests = {name: test_poses(arguments.data, arguments.poses, name) for name in ("clean", "noisy")}
    print(f"{'weights':40}{'clean':>8}{'noisy':>8}{'clean focal error %':>22}")
    for weights in arguments.weights:
        predictor = Predictor(weights)
        rows = {name: measure(predictor, poses) for name, poses in tests.items()}
        values = f"{rows['clean'][0]:8.1f}{rows['noisy'][0]:8.1f}{rows['clean'][1]:22.1f}"
        print(f"{str(weights)[-39:]:40}{values}")


def test_poses(root: Path, n: int, name: str) -> Poses:
    """Return the simulated detections in COCO's joints, with the true 3D.

    Args:
        root: folder of the data.
        n: number of poses.
        name: "clean" or "noisy".
    """
    generator = torch.Generator().manual_seed(SEED)
    world = torch.as_tensor(to_world(anny.load(root, subjects=anny.HELD_OUT)))
    world = world[torch.randperm(len(world), generator=generator)[:n]].float()
    options = EngineOptions(formats={"coco_17": 1.0}, known=0.0)
    detector = replace(options.detector, clean=float(name == "clean"), swaps=0.0)
    options = replace(options, detector=detector, definitions=float(name == "noisy"))
    sample = simulate(world, options, generator)
    camera = Camera(sample.focal, sample.center, sample.pose3d[:, BODY_46.root_index])
    poses = Poses(BODY_46, sample.pose2d, sample.confidence, sample.pose3d, camera)
    return poses.to_numpy().to(COCO_17)


def measure(predictor: Predictor, poses: Poses) -> tuple[float, float]:
    """Return PA-MPJPE in mm and the median relative error of the focal length in percent."""
    size = np.array([1000.0, 1000.0])
    pixels = (poses.pose2d * size[0] + size) / 2
    usable = predictor.usable(pixels, poses.confidence, COCO_17)
    poses, pixels = poses[usable], pixels[usable]
    predicted = predictor(pixels, poses.confidence, image_size=size, skeleton=COCO_17)
    result, limbs = predicted.to(COCO_17), [COCO_17.index(joint) for joint in LIMBS]
    assert result.pose3d is not None and poses.pose3d is not None
    a, b = (
        torch.as_tensor(p[:, limbs], dtype=torch.float64) for p in (result.pose3d, poses.pose3d)
    )
    focal = predicted.camera.focal[:, 0] / poses.camera.focal[:, 0] - 1
    return 1000 * float(metrics.pa_mpjpe(a, b).mean()), 100 * float(np.median(np.abs(focal)))


if __name__ == "__main__":
    main()
