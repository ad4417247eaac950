"""Simulated detector errors and confidences."""

from dataclasses import replace

import pytest
import torch

from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment.detector_errors import DetectorOptions, correlated_normal, detect
from camerapose.data.augment.joint_definitions import draw_formats, provided

N, J = 4000, BODY_46.n_joints
ONLY_NOISE = DetectorOptions(
    clean=0.0, outliers=0.0, swaps=0.0, missing=0.0, occluded=0.0, truncated=0.0
)


def simulate(options, n=N, inside=None, seed=0, correlation=0.0):
    generator = torch.Generator().manual_seed(seed)
    pose2d = torch.randn(n, J, 2, generator=generator) * 0.1 + 0.2
    masks, _ = draw_formats(n, generator=generator)
    inside = torch.ones(n, J, dtype=torch.bool) if inside is None else inside
    detected, score = detect(pose2d, masks, inside, options, generator, correlation)
    return pose2d, masks, detected, score


def error(pose2d, masks, detected):
    """Error relative to the spread (0.1 per coordinate, 0.14 in total) of the given joints."""
    return ((detected - pose2d).norm(dim=-1) / 0.1414)[masks]


def test_clean_samples_are_unchanged():
    pose2d, masks, detected, score = simulate(replace(DetectorOptions(), clean=1.0, truncated=0.0))
    assert torch.equal(detected[masks], pose2d[masks])
    assert (score == masks.float()).all()


def test_level_of_the_noise():
    pose2d, masks, detected, _ = simulate(ONLY_NOISE)
    relative = error(pose2d, masks, detected)
    assert relative.median() == pytest.approx(0.047, abs=0.008)
    assert 0.6 < (relative + 1e-4).log().std() < 1.3


def test_scale_varies_per_sample():
    pose2d, masks, detected, _ = simulate(ONLY_NOISE)
    distance = (detected - pose2d).norm(dim=-1).where(masks, torch.nan)
    levels = distance.nanmedian(dim=1).values.log()
    assert levels.std() > 0.4


def test_joints_that_the_format_lacks_are_missing():
    _, masks, detected, score = simulate(DetectorOptions())
    assert (score[~masks] == 0).all()
    assert (detected[score == 0] == 0).all()
    assert (score[score > 0] >= 0.05).all() and (score <= 1).all()


def test_missing_and_truncated_joints():
    inside = torch.rand(N, J, generator=torch.Generator().manual_seed(3)) < 0.9
    options = replace(ONLY_NOISE, missing=0.1)
    _, masks, _, score = simulate(options)
    assert (score[masks] == 0).float().mean() == pytest.approx(0.1, abs=0.02)
    _, masks, _, score = simulate(replace(ONLY_NOISE, truncated=1.0, min_visible=0), inside=inside)
    assert (score[masks & ~inside] == 0).all()
    assert (score[masks & inside] > 0).all()


def test_poses_keep_enough_joints():
    options = replace(DetectorOptions(), missing=0.9)
    assert ((simulate(options)[3] > 0).sum(1) >= 6).all()


def test_exchanged_sides():
    options = replace(ONLY_NOISE, swaps=1.0, level=1e-9)
    pose2d, _, detected, score = simulate(options)
    mirrored = pose2d[:, list(BODY_46.mirror)]
    same = (detected - pose2d).norm(dim=-1) < 1e-5
    other = (detected - mirrored).norm(dim=-1) < 1e-5
    assert (same | other)[score > 0].all()
    knees = BODY_46.index("left_knee")
    visible = score[:, knees] > 0
    assert 0.4 < (~same[:, knees])[visible].float().mean() < 0.9


def test_confidence_is_informative_but_imperfect():
    pose2d, masks, detected, score = simulate(ONLY_NOISE)
    distance = (detected - pose2d).norm(dim=-1)[masks]
    ranks = torch.stack([distance.argsort().argsort(), score[masks].argsort().argsort()]).float()
    assert -0.6 < torch.corrcoef(ranks)[0, 1] < -0.2


def test_outliers():
    options = replace(ONLY_NOISE, outliers=0.05, level=1e-6)
    pose2d, masks, detected, _ = simulate(options)
    assert (error(pose2d, masks, detected) > 0.1).float().mean() == pytest.approx(0.05, abs=0.015)


def test_errors_of_a_clip_are_correlated():
    mask = torch.tensor(provided("coco_17")).expand(400, -1)
    pose2d = torch.randn(1, J, 2).expand(400, -1, -1) * 0.1
    generator = torch.Generator().manual_seed(0)
    detected, score = detect(pose2d, mask, mask, ONLY_NOISE, generator, correlation=0.9)
    errors = (detected - pose2d)[:, :17].flatten(1)
    errors = (errors - errors.mean(0)) / errors.std(0)
    assert (errors[1:] * errors[:-1]).mean() == pytest.approx(0.9, abs=0.08)
    assert (score[:, :17] == score[0, :17]).all()


def test_correlated_values_are_standard_normal():
    generator = torch.Generator().manual_seed(0)
    values = correlated_normal(5000, 4, 0.5, lambda *s: torch.randn(*s, generator=generator))
    assert values.std() == pytest.approx(1, abs=0.03)
    assert (values[1:] * values[:-1]).mean() == pytest.approx(0.5, abs=0.05)
