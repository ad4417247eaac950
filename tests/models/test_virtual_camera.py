"""The virtual camera, the camera branch and the whole model: laws."""

import torch

from camerapose.core.camera import Camera
from camerapose.core.formats import H36M_16
from camerapose.core.geometry import root_relative
from camerapose.models.camera_branch import CameraBranch
from camerapose.models.camerapose import CameraPose, build
from camerapose.models.crop import VirtualCamera
from camerapose.models.lifters.mlp import Lifter
from camerapose.models.refiner import Refiner


def bodies(n=32, seed=0):
    """Random bodies about 1.7 m tall some metres before random cameras."""
    rng = torch.Generator().manual_seed(seed)
    body = root_relative(0.4 * torch.randn(n, 16, 3, generator=rng), H36M_16)
    translation = torch.cat(
        [torch.randn(n, 2, generator=rng) * 0.5, 3 + 3 * torch.rand(n, 1, generator=rng)], dim=1
    )
    camera = Camera(
        focal=(1 + 3 * torch.rand(n, 1, generator=rng)).expand(-1, 2),
        center=0.05 * torch.randn(n, 2, generator=rng),
        translation=translation,
    )
    return body, camera


def test_entering_and_leaving_the_virtual_camera_is_the_identity():
    pose2d = torch.randn(8, 16, 2)
    view = VirtualCamera.on(pose2d, torch.ones(8, 16))
    assert torch.allclose(view.leave(view.enter(pose2d)), pose2d, atol=1e-5)


def test_people_have_spread_one_in_the_virtual_camera():
    pose2d = 0.05 * torch.randn(8, 16, 2) + torch.randn(8, 1, 2)
    person = VirtualCamera.on(pose2d, torch.ones(8, 16)).enter(pose2d)
    assert torch.allclose(person.mean(1), torch.zeros(8, 2), atol=1e-4)
    assert torch.allclose(person.square().sum(2).mean(1), torch.ones(8), atol=1e-4)


def test_joints_not_seen_do_not_move_the_virtual_camera():
    pose2d, confidence = torch.randn(4, 16, 2), torch.ones(4, 16)
    confidence[:, 3] = 0
    moved = pose2d.clone()
    moved[:, 3] = 100.0
    a, b = (VirtualCamera.on(p, confidence) for p in (pose2d, moved))
    assert torch.equal(a.place, b.place) and torch.equal(a.size, b.size)


def test_one_point_or_no_joint_gives_a_finite_virtual_camera():
    for confidence in (torch.ones(1, 16), torch.zeros(1, 16)):
        view = VirtualCamera.on(torch.full((1, 16, 2), 0.3), confidence)
        assert torch.isfinite(view.enter(torch.full((1, 16, 2), 0.3))).all()


def test_an_untrained_camera_branch_reprojects_near_the_person():
    body, camera = bodies()
    camera = Camera(torch.full((32, 2), 2.0), torch.zeros(32, 2), camera.translation)
    pose2d = camera.project(body + camera.translation[:, None])
    view = VirtualCamera.on(pose2d, torch.ones(32, 16))
    facing = body @ view.turn(camera.focal, camera.center)
    turned, found = CameraBranch()(view.enter(pose2d), torch.ones(32, 16), facing, view)
    assert torch.allclose(turned, body, atol=1e-5)
    assert torch.allclose(found.translation, camera.translation, atol=2e-3)
    assert torch.allclose(found.focal, camera.focal)


def test_no_gradient_flows_from_the_camera_branch_into_the_lifted_pose():
    body, camera = bodies(4)
    body.requires_grad_()
    pose2d = camera.project((body + camera.translation[:, None]).detach())
    view = VirtualCamera.on(pose2d, torch.ones(4, 16))
    branch = CameraBranch()
    torch.nn.init.normal_(branch.output.weight)
    _, camera = branch(view.enter(pose2d), torch.ones(4, 16), body, view)
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


def test_what_stands_at_a_missing_joint_does_not_matter():
    model, pose2d, confidence = small_model(), torch.randn(4, 16, 2), torch.ones(4, 16)
    confidence[:, [2, 9]] = 0
    other = pose2d.clone()
    other[:, [2, 9]] = 7.0
    for a, b in zip(model(pose2d, confidence), model(other, confidence), strict=True):
        assert torch.equal(a, b)


def test_the_size_of_a_person_in_the_image_changes_depth_not_the_body():
    """A person seen at half the size about the same place looks the same along their ray."""
    model, pose2d, confidence = small_model(), torch.randn(4, 16, 2), torch.ones(4, 16)
    middle = pose2d.mean(1, keepdim=True)
    bodies = []
    for seen in (pose2d, middle + (pose2d - middle) / 2):
        lifted = model(seen, confidence)
        turn = VirtualCamera.on(seen, confidence).turn(lifted.focal, lifted.center)
        bodies.append(root_relative(lifted.pose3d, H36M_16) @ turn)
    assert torch.allclose(*bodies, atol=1e-4)


def test_turn_looks_through_the_persons_place_and_keeps_level():
    focal, center = torch.full((5, 2), 1.7), torch.tensor([[0.1, -0.05]]).expand(5, 2)
    place = torch.rand(5, 1, 2) * 1.6 - 0.8
    turn = VirtualCamera(place, torch.ones(5, 1, 1)).turn(focal, center)
    assert torch.allclose(turn @ turn.mT, torch.eye(3).expand(5, 3, 3), atol=1e-6)
    assert torch.allclose(torch.linalg.det(turn), torch.ones(5), atol=1e-6)
    ahead = turn @ torch.tensor([0.0, 0.0, 5.0])
    assert torch.allclose(ahead[:, :2] / ahead[:, 2:] * focal + center, place[:, 0], atol=1e-6)
    assert torch.allclose(turn[:, 1, 0], torch.zeros(5))


def test_the_root_stands_at_the_translation():
    lifted = small_model()(torch.randn(4, 16, 2), torch.ones(4, 16))
    assert torch.allclose(lifted.pose3d[:, H36M_16.root_index], lifted.translation)


def test_the_model_without_refiner_leaves_2d_as_it_is():
    model = build(H36M_16, "mlp", {"width": 32}, refiner_hidden=0, camera_hidden=32).eval()
    pose2d = torch.randn(3, 16, 2)
    assert torch.allclose(model(pose2d, torch.ones(3, 16)).refined2d, pose2d, atol=1e-5)
