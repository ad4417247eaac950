"""Scale of people by body height."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import three_people

from camerapose.core.anatomy import DEFAULT_HEIGHT, body_height
from camerapose.core.skeleton import Skeleton
from camerapose.infer import clip


@pytest.fixture(scope="module")
def people():
    return three_people()


def test_set_height_scales_each_person_and_keeps_the_reprojection(people):
    tall = clip.set_height(people, 1.9)
    for number in range(3):
        mine = tall[people.labels["person"] == number]
        assert np.median(body_height(mine.pose3d, mine.skeleton)) == pytest.approx(1.9, abs=1e-4)
    np.testing.assert_allclose(tall.reprojection, people.reprojection, atol=1e-4)
    ratio = np.linalg.norm(tall.root_position, axis=1) / np.linalg.norm(
        people.root_position, axis=1
    )
    assert len(np.unique(ratio.round(4))) == 3
    with pytest.raises(ValueError, match="give metres"):
        clip.set_height(people, 175.0)


def test_set_median_height_keeps_relative_sizes(people):
    scaled, before = clip.set_median_height(people), clip.median_height(people)
    assert clip.median_height(scaled) == pytest.approx(DEFAULT_HEIGHT)
    scale = DEFAULT_HEIGHT / before
    np.testing.assert_allclose(scaled.pose3d, scale * people.pose3d, rtol=1e-4)
    np.testing.assert_allclose(scaled.reprojection, people.reprojection, atol=1e-4)
    uncertain = replace(people, pose3d_std=np.full((30, people.skeleton.n_joints), 0.02))
    found = clip.set_median_height(uncertain).pose3d_std
    np.testing.assert_allclose(found, scale * 0.02, rtol=1e-4)
    bust = people.to(Skeleton("bust", ("thorax", "head"), (None, "thorax")))
    assert clip.set_median_height(bust) is bust and np.isnan(clip.median_height(bust))
    assert len(clip.set_median_height(people[:0])) == 0
