import numpy as np
import pytest
import roma
import torch

from camerapose.core.geometry import procrustes_align
from camerapose.core.joint_formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.evaluate import metrics

ALL = [metrics.mpjpe, metrics.pa_mpjpe, metrics.n_mpjpe, metrics.pck, metrics.auc]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def pair(n: int = 8, noise: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    target = 0.5 * torch.randn(n, 16, 3)
    return target + noise * torch.randn(n, 16, 3), target


def test_perfect_poses():
    _, target = pair()
    for metric in (metrics.mpjpe, metrics.n_mpjpe):
        torch.testing.assert_close(metric(target, target), torch.zeros(8), atol=1e-7, rtol=0)
    torch.testing.assert_close(metrics.pa_mpjpe(target, target), torch.zeros(8), atol=1e-6, rtol=0)
    assert (metrics.pck(target, target) == 1).all()
    torch.testing.assert_close(metrics.auc(target, target), torch.full((8,), 30 / 31))


def test_pa_mpjpe_is_invariant_to_similarity_transforms():
    predicted, target = pair()
    changed = 2.3 * predicted @ roma.random_rotmat(8).mT + torch.randn(8, 1, 3)
    torch.testing.assert_close(
        metrics.pa_mpjpe(changed, target), metrics.pa_mpjpe(predicted, target), atol=1e-6, rtol=0
    )


def awkward(kind: str, n: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Return predictions and targets that are difficult to align."""
    target = torch.randn(n, 16, 3) * torch.tensor([0.15, 0.45, 0.1])
    predicted = target @ roma.random_rotmat(n).mT + 0.05 * torch.randn(n, 16, 3)
    line = torch.randn(n, 16, 1) * torch.randn(n, 1, 3)
    if kind == "mirrored":
        predicted = predicted * torch.tensor([-1.0, 1.0, 1.0])
    if kind == "exactly mirrored":
        predicted = target * torch.tensor([1.0, 1.0, -1.0])
    if kind == "flat":
        predicted = predicted * torch.tensor([1.0, 1.0, 0.0])
    if kind == "flat, both":
        predicted, target = (p * torch.tensor([1.0, 1.0, 0.0]) for p in (predicted, target))
    if kind == "collinear":
        predicted = line
    if kind == "collinear, both":
        predicted, target = line, torch.randn(n, 16, 1) * torch.randn(n, 1, 3)
    if kind == "nearly collinear":
        spread = 10 ** torch.empty(n, 1, 1).uniform_(-7, -1)
        predicted, target = line + spread * predicted, line + spread * target
    if kind == "coincident":
        predicted = torch.randn(n, 1, 3).expand(n, 16, 3).contiguous()
    if kind == "coincident, both":
        predicted, target = (torch.randn(n, 1, 3).repeat(1, 16, 1) for _ in range(2))
    if kind == "round":  # all directions equal: every rotation of a mirror image is optimal
        target = torch.eye(3).repeat(6, 1)[:16].repeat(n, 1, 1) + 1e-4 * torch.randn(n, 16, 3)
        predicted = -target
    if kind == "unrelated":
        predicted = torch.randn(n, 16, 3)
    if kind == "perfect":
        predicted = target.clone()
    if kind == "far away":
        predicted = predicted + torch.tensor([1.0, 2.0, 8.0])
    if kind == "in millimetres":
        predicted, target = 1000 * predicted, 1000 * target
    return predicted, target


@pytest.mark.parametrize(
    "kind",
    [
        "near", "mirrored", "exactly mirrored", "flat", "flat, both", "collinear",
        "collinear, both", "nearly collinear", "coincident", "coincident, both", "round",
        "unrelated", "perfect", "far away", "in millimetres",
    ],
)  # fmt: skip
def test_pa_mpjpe_in_closed_form_equals_singular_values(kind):
    """To a micrometre on every pose, in both precisions, if the input is rounded alike."""
    predicted, target = awkward(kind)
    unit = 1000 if kind == "in millimetres" else 1
    # poses that are a point except for rounding are only recognised in single precision
    x, y = (predicted, target) if "coincident" in kind else (predicted.double(), target.double())
    expected = metrics.mpjpe(procrustes_align(x, y), y)
    result = metrics.pa_mpjpe(predicted, target)
    assert ((result - expected).abs() < 1e-6 * unit).all()
    if "coincident" not in kind:
        assert ((metrics.pa_mpjpe(x, y) - expected).abs() < 1e-9 * unit).all()


def test_singular_values_are_rarely_needed(monkeypatch):
    asked = []

    def align(x, y):
        asked.append(len(x))
        return procrustes_align(x, y)

    monkeypatch.setattr(metrics, "procrustes_align", align)
    metrics.pa_mpjpe(*awkward("near", 2000))
    assert sum(asked) < 100
    metrics.pa_mpjpe(*awkward("collinear", 200))
    assert sum(asked) >= 200


def test_poses_are_processed_in_chunks(monkeypatch):
    predicted, target = awkward("near", 50)
    predicted[7], target[33] = 0.0, torch.nan
    whole = metrics.pa_mpjpe(predicted, target)
    monkeypatch.setattr(metrics, "BATCH", 16)
    torch.testing.assert_close(metrics.pa_mpjpe(predicted, target), whole, equal_nan=True)
    assert whole.isnan().nonzero().tolist() == [[33]]


def test_n_mpjpe_is_invariant_to_scale_and_optimal_in_least_squares():
    predicted, target = pair()
    torch.testing.assert_close(
        metrics.n_mpjpe(0.3 * predicted, target), metrics.n_mpjpe(predicted, target)
    )
    x, y = predicted[0].numpy().ravel(), target[0].numpy().ravel()
    scale = np.linalg.lstsq(x[:, None], y, rcond=None)[0][0]
    expected = np.linalg.norm(scale * predicted[0].numpy() - target[0].numpy(), axis=-1).mean()
    assert metrics.n_mpjpe(predicted, target)[0].item() == pytest.approx(expected, abs=1e-6)


def test_each_alignment_reduces_the_error():
    predicted, target = pair(200)
    # guaranteed for squared errors; here only on average
    better = metrics.pa_mpjpe(predicted, target).mean() < metrics.n_mpjpe(predicted, target).mean()
    assert (
        better
        and metrics.n_mpjpe(predicted, target).mean() < metrics.mpjpe(predicted, target).mean()
    )


def displaced(*millimetres: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a pose whose joints have these distances, each in a random direction."""
    target = torch.zeros(1, len(millimetres), 3)
    direction = torch.nn.functional.normalize(torch.randn(1, len(millimetres), 3), dim=-1)
    return target + direction * torch.tensor(millimetres)[None, :, None] / 1000, target


def test_values_by_hand():
    predicted, target = displaced(0, 40, 149, 151)
    assert metrics.mpjpe(predicted, target).item() == pytest.approx(0.085)
    assert metrics.pck(predicted, target).item() == pytest.approx(3 / 4)
    assert metrics.pck(predicted, target, threshold=0.03).item() == pytest.approx(1 / 4)
    # thresholds passed of 0, 5, ..., 150 mm: 30; 45 to 150 is 22 (40 may be either side); 1; 0
    predicted, target = displaced(0, 42, 149, 151)
    assert metrics.auc(predicted, target).item() == pytest.approx((30 + 22 + 1 + 0) / 4 / 31)


def test_auc_is_the_mean_of_pck():
    predicted, target = pair(50, noise=0.06)
    slow = [metrics.pck(predicted, target, threshold=t.item()) for t in torch.linspace(0, 0.15, 31)]
    torch.testing.assert_close(metrics.auc(predicted, target), torch.stack(slow).mean(0))


def test_root_error_depends_on_the_root_only():
    predicted, target = torch.randn(3, 16, 3), torch.randn(3, 16, 3)
    root = H36M_16.root_index
    predicted[:, root] = target[:, root] + torch.tensor([3.0, 0.0, 4.0])
    torch.testing.assert_close(
        metrics.root_error(predicted, target, H36M_16), torch.full((3,), 5.0)
    )


def test_reprojection_error_ignores_invisible_joints():
    given, again = torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)
    again[0] = torch.tensor([[3.0, 4.0], [0.0, 1.0], [torch.nan, 9.0]])
    confidence = torch.tensor([[0.2, 1.0, 0.0], [0.0, 0.0, 0.0]])
    error = metrics.reprojection_error(again, given, confidence)
    torch.testing.assert_close(error, torch.tensor([3.0, 0.0]))


def test_reprojection_error_equals_that_of_poses():
    from camerapose.core.camera import Camera

    pose3d = torch.randn(4, 16, 3) + torch.tensor([0.0, 0.0, 6.0])
    camera = Camera(torch.full((4, 2), 2.0), torch.zeros(4, 2), torch.zeros(4, 3))
    poses = Poses(H36M_16, torch.randn(4, 16, 2), torch.rand(4, 16).round(), pose3d, camera)
    torch.testing.assert_close(
        metrics.reprojection_error(poses.reprojection, poses.pose2d, poses.confidence),
        poses.reprojection_error,
    )


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_an_invalid_pose_does_not_affect_others(metric, bad):
    predicted, target = pair()
    good = metric(predicted, target)
    predicted[0, 3, 1] = bad
    values = metric(predicted, target)
    torch.testing.assert_close(values[1:], good[1:])
    if metric in (metrics.pck, metrics.auc):
        assert values[0].isfinite() and values[0] <= good[0]
    else:
        assert not values[0].isfinite()


@pytest.mark.parametrize("metric", ALL)
def test_degenerate_poses_are_finite(metric):
    zero, target = torch.zeros(2, 16, 3), pair(2)[1]
    assert metric(zero, target).isfinite().all()
    assert metric(target, zero).isfinite().all()
    assert metric(zero, zero).isfinite().all()


@pytest.mark.parametrize("metric", ALL)
def test_no_poses(metric):
    assert metric(torch.zeros(0, 16, 3), torch.zeros(0, 16, 3)).shape == (0,)


def test_unit_is_that_of_the_input():
    predicted, target = pair()
    for metric in (metrics.mpjpe, metrics.pa_mpjpe, metrics.n_mpjpe):
        torch.testing.assert_close(
            metric(1000 * predicted, 1000 * target),
            1000 * metric(predicted, target),
            rtol=1e-5,
            atol=1e-3,
        )
