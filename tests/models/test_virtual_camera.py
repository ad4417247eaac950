"""Properties of the virtual camera, the camera branch and the complete model."""

import torch
from helpers.models import bodies

from camerapose.core.camera import Camera
from camerapose.core.geometry import root_relative
from camerapose.core.joint_formats import H36M_16
from camerapose.models.camera_branch import CameraBranch
from camerapose.models.camerapose import CameraPose, build
from camerapose.models.crop import VirtualCamera
from camerapose.models.lifters.mlp import Lifter
from camerapose.models.refiner import Refiner


def test_crop_coordinates_are_invertible():
    pose2d = torch.randn(8, 16, 2)
    view = VirtualCamera.fit(pose2d, torch.ones(8, 16))
    assert torch.allclose(view.to_image(view.to_crop(pose2d)), pose2d, atol=1e-5)


def test_crop_coordinates_have_unit_spread():
    pose2d = 0.05 * torch.randn(8, 16, 2) + torch.randn(8, 1, 2)
    person = VirtualCamera.fit(pose2d, torch.ones(8, 16)).to_crop(pose2d)
    assert torch.allclose(person.mean(1), torch.zeros(8, 2), atol=1e-4)
    assert torch.allclose(person.square().sum(2).mean(1), torch.ones(8), atol=1e-4)


def test_missing_joints_have_no_influence_on_the_crop():
    pose2d, confidence = torch.randn(4, 16, 2), torch.ones(4, 16)
    confidence[:, 3] = 0
    moved = pose2d.clone()
    moved[:, 3] = 100.0
    a, b = (VirtualCamera.fit(p, confidence) for p in (pose2d, moved))
    assert torch.equal(a.center, b.center) and torch.equal(a.scale, b.scale)


def test_degenerate_poses_have_a_finite_crop():
    for confidence in (torch.ones(1, 16), torch.zeros(1, 16)):
        view = VirtualCamera.fit(torch.full((1, 16, 2), 0.3), confidence)
        assert torch.isfinite(view.to_crop(torch.full((1, 16, 2), 0.3))).all()


def test_an_untrained_camera_branch_reprojects_near_the_person():
    body, camera = bodies()
    camera = Camera(torch.full((32, 2), 2.0), torch.zeros(32, 2), camera.translation)
    pose2d = camera.project(body + camera.translation[:, None])
    view = VirtualCamera.fit(pose2d, torch.ones(32, 16))
    facing = body @ view.rotation(camera.focal, camera.center)
    rotated, estimated = CameraBranch()(view.to_crop(pose2d), torch.ones(32, 16), facing, view)
    assert torch.allclose(rotated, body, atol=1e-5)
    assert torch.allclose(estimated.translation, camera.translation, atol=2e-3)
    assert torch.allclose(estimated.focal, camera.focal)


def test_no_gradient_flows_from_the_camera_branch_into_the_lifted_pose():
    body, camera = bodies(4)
    body.requires_grad_()
    pose2d = camera.project((body + camera.translation[:, None]).detach())
    view = VirtualCamera.fit(pose2d, torch.ones(4, 16))
    branch = CameraBranch()
    torch.nn.init.normal_(branch.output.weight)
    _, camera = branch(view.to_crop(pose2d), torch.ones(4, 16), body, view)
    sum(x.sum() for x in camera).backward()
    assert body.grad is None


def small_model():
    torch.manual_seed(0)
    model = CameraPose(
        H36M_16, Lifter(H36M_16, width=32), CameraBranch(H36M_16, 32), Refiner(H36M_16, 32)
    )
    for layer in (model.refiner.last, model.camera_branch.output):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return model.eval()


def test_coordinates_of_missing_joints_are_ignored():
    model, pose2d, confidence = small_model(), torch.randn(4, 16, 2), torch.ones(4, 16)
    confidence[:, [2, 9]] = 0
    other = pose2d.clone()
    other[:, [2, 9]] = 7.0
    for a, b in zip(model(pose2d, confidence), model(other, confidence), strict=True):
        assert torch.equal(a, b)


def test_size_in_the_image_changes_depth_but_not_the_body():
    """A person at half the size at the same image position has the same pose along their ray."""
    model, pose2d, confidence = small_model(), torch.randn(4, 16, 2), torch.ones(4, 16)
    center = pose2d.mean(1, keepdim=True)
    bodies = []
    for visible2d in (pose2d, center + (pose2d - center) / 2):
        lifted = model(visible2d, confidence)
        rotation = VirtualCamera.fit(visible2d, confidence).rotation(lifted.focal, lifted.center)
        bodies.append(root_relative(lifted.pose3d, H36M_16) @ rotation)
    assert torch.allclose(*bodies, atol=1e-4)


def test_rotation_maps_the_optical_axis_to_the_person_without_roll():
    focal, center = torch.full((5, 2), 1.7), torch.tensor([[0.1, -0.05]]).expand(5, 2)
    place = torch.rand(5, 1, 2) * 1.6 - 0.8
    rotation = VirtualCamera(place, torch.ones(5, 1, 1)).rotation(focal, center)
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand(5, 3, 3), atol=1e-6)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(5), atol=1e-6)
    ahead = rotation @ torch.tensor([0.0, 0.0, 5.0])
    assert torch.allclose(ahead[:, :2] / ahead[:, 2:] * focal + center, place[:, 0], atol=1e-6)
    assert torch.allclose(rotation[:, 1, 0], torch.zeros(5))


def test_the_root_is_at_the_translation():
    lifted = small_model()(torch.randn(4, 16, 2), torch.ones(4, 16))
    assert torch.allclose(lifted.pose3d[:, H36M_16.root_index], lifted.translation)


def test_without_a_refiner_2d_is_not_changed():
    model = build(H36M_16, "mlp", {"width": 32}, refiner_hidden=0, camera_hidden=32).eval()
    pose2d = torch.randn(3, 16, 2)
    assert torch.allclose(model(pose2d, torch.ones(3, 16)).refined2d, pose2d, atol=1e-5)
