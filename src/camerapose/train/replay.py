"""Data for fine-tuning: the user's annotations, and replayed 2D-3D pairs."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.evaluate.measure import lift
from camerapose.models.camerapose import CameraPose

#: 2D-only people with fewer annotated joints are not used.
MIN_JOINTS = 8
#: Frame step of the replayed Human3.6M pairs.
HUMAN36M_FRAME_STEP = 20


def split(people: Poses, held_out: float, seed: int) -> tuple[Poses, Poses]:
    """Split annotated people by image into training and test data.

    People with fewer than `MIN_JOINTS` joints are left out.

    Args:
        held_out: share of the images for the test data.

    Raises:
        ValueError: too few people.
    """
    people = people[np.flatnonzero((people.confidence > 0).sum(1) >= MIN_JOINTS)]
    images = people.labels.get("image", np.array([""] * len(people)))
    if len(set(images)) == 1:  # no image names: each frame is an image
        images = people.labels.get("frame", np.arange(len(people)))
    names = np.unique(images)
    n_test = max(1, round(held_out * len(names)))
    test = np.isin(images, np.random.default_rng(seed).permutation(names)[:n_test])
    if test.all() or len(people) - test.sum() < 2:
        raise ValueError(
            f"{len(people)} people with at least {MIN_JOINTS} joints in {len(names)} images are "
            "too few for training and test data; annotate more images"
        )
    return people[np.flatnonzero(~test)], people[np.flatnonzero(test)]


def synthetic_replay(model: CameraPose, n: int, seed: int) -> Poses:
    """Return n synthetic poses labelled with the predictions of the model before fine-tuning."""
    from camerapose.data.datasets import synthetic

    poses = synthetic.load(n=n, seed=seed, skeleton=model.skeleton.name).to_torch()
    predicted = lift(model, poses)
    camera = Camera(predicted.camera.focal, predicted.camera.center, predicted.root_position)
    return replace(poses, pose3d=predicted.pose3d, camera=camera).to_numpy()


def human36m_replay(root: Path | str, skeleton: str) -> Poses:
    """Return the pairs of Human3.6M's training subjects in random order, without distortion.

    Raises:
        FileNotFoundError: the files of Human3.6M are not in `root`.
    """
    from camerapose.data.cache import cached
    from camerapose.data.datasets import human36m

    pairs = cached(human36m.load, Path(root), frame_step=HUMAN36M_FRAME_STEP, skeleton=skeleton)
    pairs = pairs[np.random.default_rng(0).permutation(len(pairs))]
    camera = replace(pairs.camera, distortion=None)
    return replace(pairs, camera=camera, pose2d=camera.project(pairs.pose3d))
