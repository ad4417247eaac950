"""Rows of sample figures, with the images named by the labels."""

import numpy as np
import pytest
from PIL import Image

from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic
from camerapose.view.frames import draw_samples
from camerapose.view.samples import sample_row


def test_2d_poses_on_images(tmp_path):
    pairs = synthetic.load(n=5)
    names = np.array([f"{i}.jpg" for i in range(5)])
    flat = Poses(pairs.skeleton, pairs.pose2d, pairs.confidence, image_size=pairs.image_size,
                 labels={"image": names})  # fmt: skip
    rows = [sample_row(flat[[i]]) for i in range(5)]
    assert len([ax for ax in draw_samples(rows).axes if ax.get_visible()]) == 5
    with pytest.raises(FileNotFoundError, match="no image .*0.jpg"):
        sample_row(flat[[0]], tmp_path)
    Image.new("RGB", (64, 48)).save(tmp_path / "0.jpg")
    assert sample_row(flat[[0]], tmp_path).image.shape == (48, 64, 3)
