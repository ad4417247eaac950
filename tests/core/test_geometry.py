import numpy as np
import pytest
import roma
import torch
from scipy.spatial import procrustes as scipy_procrustes

from camerapose.core import geometry
from camerapose.core.joint_formats import FORMATS, H36M_16
from camerapose.core.skeleton import Skeleton

ALL = pytest.mark.parametrize("body", FORMATS.values(), ids=FORMATS.keys())


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def poses(n: int = 6, body: Skeleton = H36M_16, d: int = 3) -> torch.Tensor:
    return torch.randn(n, body.n_joints, d)


def rotated(points: torch.Tensor) -> torch.Tensor:
    return points @ roma.random_rotmat(len(points)).mT


# Properties


@ALL
@pytest.mark.parametrize("d", [2, 3])
def test_bones_and_pose_are_inverse(body, d):
    pose = poses(body=body, d=d)
    bones = geometry.bone_vectors(pose, body)
    again = geometry.pose_from_bones(bones, body, pose[:, body.root_index])
    torch.testing.assert_close(again, pose, atol=2e-6, rtol=0)
    relative = geometry.pose_from_bones(bones, body)
    torch.testing.assert_close(relative, geometry.root_relative(pose, body), atol=2e-6, rtol=0)
    assert (relative[:, body.root_index] == 0).all()


def test_pose_from_bones_is_accurate_under_autocast():
    pose = geometry.root_relative(poses(), H36M_16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        again = geometry.pose_from_bones(geometry.bone_vectors(pose, H36M_16), H36M_16)
    torch.testing.assert_close(again, pose, atol=2e-6, rtol=0)


def test_any_leading_dimensions():
    pose = torch.randn(2, 5, H36M_16.n_joints, 3)
    lengths = geometry.bone_lengths(pose, H36M_16)
    assert lengths.shape == (2, 5, 15)
    bones = geometry.bone_vectors(pose[0, 0], H36M_16)
    assert bones.shape == (15, 3)
    assert geometry.pose_from_bones(bones, H36M_16).shape == (16, 3)


def test_constants_created_in_inference_mode_work_in_training():
    geometry._CONSTANTS.clear()
    with torch.inference_mode():
        geometry.kcs(poses(), H36M_16)
        geometry.pose_from_bones(geometry.bone_vectors(poses(), H36M_16), H36M_16)
    bones = torch.randn(3, 15, 3, requires_grad=True)
    geometry.kcs(geometry.pose_from_bones(bones, H36M_16), H36M_16).square().sum().backward()
    assert bones.grad.isfinite().all()


@ALL
def test_kcs_is_invariant_to_similarity_transforms(body):
    pose = poses(body=body)
    changed = 3.7 * rotated(pose) + torch.randn(len(pose), 1, 3)
    torch.testing.assert_close(
        geometry.kcs(changed, body), geometry.kcs(pose, body), atol=2e-5, rtol=0
    )


def test_kcs_is_invariant_to_bone_lengths():
    bones = geometry.bone_vectors(poses(), H36M_16)
    longer = geometry.pose_from_bones(bones * (0.5 + torch.rand(6, 15, 1)), H36M_16)
    torch.testing.assert_close(
        geometry.kcs(longer, H36M_16),
        geometry.kcs(geometry.pose_from_bones(bones, H36M_16), H36M_16),
        atol=2e-5,
        rtol=0,
    )


def test_kcs_in_2d_is_invariant_to_position_and_scale():
    pose = poses(d=2)
    torch.testing.assert_close(
        geometry.kcs(0.2 * pose + 0.4, H36M_16), geometry.kcs(pose, H36M_16), atol=2e-5, rtol=0
    )


def test_kcs_is_the_masked_gram_matrix_of_unit_bones():
    pose = poses()
    chains = geometry.kcs(pose, H36M_16)
    bones = np.array([[p[c] - p[q] for c, q in H36M_16.bones] for p in pose.numpy()])
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    for part, own in enumerate(H36M_16.parts.values()):
        masked = np.zeros_like(bones)
        masked[:, list(own)] = bones[:, list(own)]
        expected = masked @ masked.transpose(0, 2, 1)
        np.testing.assert_allclose(chains[:, part].numpy(), expected, atol=1e-6)


def test_unit_has_length_one_and_is_finite_at_zero():
    vectors = torch.randn(5, 3)
    torch.testing.assert_close(geometry.unit(vectors).norm(dim=-1), torch.ones(5))
    zero = torch.zeros(2, 3, requires_grad=True)
    out = geometry.unit(zero)
    out.sum().backward()
    assert (out == 0).all() and zero.grad.isfinite().all()


def test_bone_lengths_have_a_gradient_at_zero():
    pose = torch.zeros(1, 16, 3, requires_grad=True)
    geometry.bone_lengths(pose, H36M_16).sum().backward()
    assert pose.grad.isfinite().all()


@ALL
def test_insert_root_restores_the_root(body):
    pose = geometry.root_relative(poses(body=body), body)
    others = [j for j in range(body.n_joints) if j != body.root_index]
    assert torch.equal(geometry.insert_root(pose[:, others], body), pose)


# Rotations, compared with roma


def test_rotvec_to_rotmat_agrees_with_roma():
    rotvec = 3 * torch.randn(500, 3).double()
    rotvec[0], rotvec[1] = 0.0, 1e-9
    torch.testing.assert_close(
        geometry.rotvec_to_rotmat(rotvec), roma.rotvec_to_rotmat(rotvec), atol=1e-12, rtol=0
    )


def test_gradient_of_rotvec_to_rotmat_at_zero():
    """At the zero vector the gradient is that of the cross product."""
    rotvec, point = torch.zeros(3, requires_grad=True), torch.randn(3)
    (geometry.rotvec_to_rotmat(rotvec) @ point)[0].backward()
    torch.testing.assert_close(rotvec.grad, torch.tensor([0.0, point[2], -point[1]]))


# Procrustes: properties, a reference, degenerate poses


def aligned_error(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (geometry.procrustes_align(predicted, target) - target).norm(dim=-1)


def umeyama(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Umeyama's algorithm, one pose at a time, in double precision."""
    x0, y0 = x - x.mean(0), y - y.mean(0)
    u, s, vt = np.linalg.svd(y0.T @ x0)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (s * sign).sum() / (x0**2).sum()
    return scale * x0 @ rotation.T + y.mean(0)


def test_align_inverts_a_similarity_transform():
    pose = poses(50)
    changed = rotated(pose) * (0.2 + torch.rand(50, 1, 1)) + 5 * torch.randn(50, 1, 3)
    assert aligned_error(changed, pose).max() < 2e-5


@pytest.mark.parametrize("kind", ["random", "near", "mirrored", "flat", "collinear"])
def test_align_matches_a_loop_in_double_precision(kind):
    target = poses(200).double()
    predicted = rotated(target.float()).double() + 0.1 * torch.randn(200, 16, 3).double()
    if kind == "random":
        predicted = poses(200).double()
    if kind == "mirrored":
        predicted = predicted * torch.tensor([-1.0, 1.0, 1.0])
    if kind == "flat":
        predicted[..., 2] = 0
    if kind == "collinear":  # rotation about the line is arbitrary; the smallest distance is not
        direction = torch.randn(200, 1, 3).double()
        predicted = torch.randn(200, 16, 1).double() * direction
    expected = np.stack(list(map(umeyama, predicted.numpy(), target.numpy())))
    rms = np.sqrt(((expected - target.numpy()) ** 2).sum(-1).mean(-1))
    got = geometry.procrustes_align(predicted, target)
    np.testing.assert_allclose((got - target).norm(dim=-1).square().mean(-1).sqrt(), rms, atol=1e-7)
    if kind != "collinear":
        np.testing.assert_allclose(got.numpy(), expected, atol=1e-6)
    single = geometry.procrustes_align(predicted.float(), target.float())
    rms_single = (single - target.float()).norm(dim=-1).square().mean(-1).sqrt()
    np.testing.assert_allclose(rms_single, rms, atol=1e-6)


def test_align_agrees_with_scipy_without_reflection():
    target = poses(20).double()
    predicted = rotated(target.float()).double() * 1.7 + 0.05 * torch.randn(20, 16, 3).double()
    got = geometry.procrustes_align(predicted, target)
    for x, y, a in zip(predicted.numpy(), target.numpy(), got.numpy(), strict=True):
        disparity = scipy_procrustes(y, x)[2]
        ours = ((a - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
        assert ours == pytest.approx(disparity, abs=1e-9)


def test_align_does_not_reflect():
    pose = poses(20)
    mirrored = pose * torch.tensor([-1.0, 1.0, 1.0])
    assert (aligned_error(mirrored, pose).mean(-1) > 0.05).all()


@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_align_only_translates_coincident_joints(offset):
    pose, point = poses(3), torch.full((3, 16, 3), 0.3) + offset
    centred = pose - pose.mean(1, keepdim=True)
    moved = geometry.procrustes_align(point, pose)
    torch.testing.assert_close(moved, pose.mean(1, keepdim=True).expand_as(pose), atol=5e-6, rtol=0)
    moved = geometry.procrustes_align(pose, point)
    torch.testing.assert_close(moved, centred + point, atol=5e-6, rtol=0)


def test_nan_in_one_pose_does_not_affect_others():
    predicted, target = poses(3), poses(3)
    alone = geometry.procrustes_align(predicted[1:], target[1:])
    predicted[0, 4, 1] = torch.nan
    out = geometry.procrustes_align(predicted, target)
    assert out[0].isnan().all()
    torch.testing.assert_close(out[1:], alone)


def test_align_without_poses():
    assert geometry.procrustes_align(poses(0), poses(0)).shape == (0, 16, 3)
