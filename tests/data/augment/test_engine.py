"""The data engine: consistency of 2D, 3D, camera and known quantities."""

import torch

from camerapose.core.anatomy import body_height
from camerapose.core.attachment import ATTACHED
from camerapose.core.geometry import bone_lengths
from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment.detector_errors import DetectorOptions
from camerapose.data.augment.engine import EngineOptions, hide, known_quantities, simulate

CLEAN = EngineOptions(
    definitions=0.0, detector=DetectorOptions(clean=1.0, truncated=0.0, swaps=0.0)
)


def people(n=500):
    """Joints at random positions, about as large as people."""
    generator = torch.Generator().manual_seed(0)
    return 0.4 * torch.randn(n, BODY_46.n_joints, 3, generator=generator)


def run(options, seed=1):
    return simulate(people(), options, torch.Generator().manual_seed(seed))


def test_clean_2d_is_the_projection_of_the_3d():
    sample = run(CLEAN)
    projected = sample.pose3d[..., :2] / sample.pose3d[..., 2:] * sample.focal[:, None]
    visible = sample.confidence > 0
    torch.testing.assert_close(sample.pose2d[visible], projected[visible], atol=1e-4, rtol=1e-3)
    assert (sample.confidence[visible] == 1).all()


def test_every_value_but_unknown_quantities_is_finite():
    *columns, known = run(EngineOptions())
    assert all(column.isfinite().all() for column in columns)
    assert known.isnan().any() and known.isfinite().any()


def test_the_same_seed_gives_the_same_sample():
    a, b, c = run(EngineOptions()), run(EngineOptions()), run(EngineOptions(), seed=2)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, equal_nan=True)
    assert not torch.equal(a.pose2d, c.pose2d)


def test_bodies_vary_and_half_of_the_poses_are_mirrored():
    original = bone_lengths(people(), ATTACHED)
    mirrored = original[:, list(ATTACHED.bone_mirror)]
    varied = bone_lengths(run(EngineOptions()).pose3d, ATTACHED)
    is_mirrored = (varied / mirrored).log().std(1) < (varied / original).log().std(1)
    assert 0.4 < is_mirrored.float().mean() < 0.6


def test_known_quantities():
    sample = run(CLEAN)
    known = known_quantities(sample.pose3d, sample.focal, sample.center)
    torch.testing.assert_close(known[:, 0], sample.focal[:, 0])
    torch.testing.assert_close(known[:, 3], body_height(sample.pose3d, BODY_46))
    assert (known[:, 3:] > 0).all()
    given = ~hide(known.repeat(20, 1), 0.5, torch.Generator().manual_seed(0)).isnan()
    assert 0.2 < given[:, 0].float().mean() < 0.3
    assert (given[:, 0] | ~given[:, 1]).all()
    assert (given[:, 4] == given[:, 7]).all()
    assert hide(known, 0.0).isnan().all()
