"""The lifter of several joint definitions, and its graph."""

import numpy as np
import pytest
import torch

from camerapose.core.joint_formats import BODY_46
from camerapose.evaluate.models import load_for_evaluation
from camerapose.evaluate.training_data import read_card
from camerapose.infer.predictor import Predictor
from camerapose.models.body_checkpoint import (
    find_body_checkpoint,
    is_body_checkpoint,
    load_body_model,
)
from camerapose.models.body_export import export_body_checkpoint, export_body_model
from camerapose.models.body_model import N_KNOWN, AbsoluteBodyModel, BodyModel
from camerapose.models.checkpoint import load_model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = BodyModel(width=64, blocks=1)
    torch.nn.init.normal_(model.last.weight, std=0.05)
    pose2d, confidence, known = inputs(256)
    model.train()
    model(pose2d, confidence, known)  # statistics of batch norm
    return model.eval()


def inputs(n=8):
    generator = torch.Generator().manual_seed(1)
    pose2d = 0.3 * torch.randn(n, 46, 2, generator=generator)
    confidence = torch.rand(n, 46, generator=generator)
    confidence = torch.where(torch.rand(n, 46, generator=generator) < 0.4, 0.0, confidence)
    return pose2d, confidence, torch.full((n, N_KNOWN), torch.nan)


def test_the_root_is_at_the_origin_and_missing_joints_are_ignored(model):
    pose2d, confidence, known = inputs()
    predicted = model(pose2d, confidence, known)
    assert (predicted.facing[:, BODY_46.root_index] == 0).all()
    moved = torch.where(confidence[..., None] == 0, 7.0, pose2d)
    torch.testing.assert_close(model(moved, confidence, known).facing, predicted.facing)


def test_known_focal_length_and_principal_point_are_used(model):
    pose2d, confidence, known = inputs()
    known[:, 0], known[:, 1], known[:, 2] = 2.5, 0.1, -0.2
    predicted = model(pose2d, confidence, known)
    torch.testing.assert_close(predicted.focal, torch.full_like(predicted.focal, 2.5))
    torch.testing.assert_close(predicted.center, known[:, 1:3])
    unknown = model(pose2d, confidence)
    assert (unknown.center == 0).all()
    assert not torch.allclose(unknown.facing, predicted.facing)


def test_body_height_is_an_input(model):
    pose2d, confidence, known = inputs()
    tall = known.clone()
    tall[:, 3] = 1.9
    assert not torch.allclose(
        model(pose2d, confidence, tall).facing, model(pose2d, confidence).facing
    )


def test_pose_of_a_person_does_not_depend_on_other_rows(model):
    pose2d, confidence, known = inputs()
    alone = model(pose2d[:1], confidence[:1], known[:1])
    torch.testing.assert_close(alone.facing, model(pose2d, confidence, known).facing[:1])


def test_standard_deviations_are_positive_and_scaled_by_the_calibration(model):
    absolute = AbsoluteBodyModel(model)
    std = absolute(*inputs()).pose3d_std
    assert (std > 0).all()
    model.calibration.fill_(2.0)
    torch.testing.assert_close(absolute(*inputs()).pose3d_std, 2 * std)
    model.calibration.fill_(1.0)


def test_the_graph_equals_the_model(model, tmp_path):
    import onnxruntime

    export_body_model(model, tmp_path / "model.onnx", {"a": 1})
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for n in (1, 5):
        pose2d, confidence, known = inputs(n)
        known[:, 3] = 1.7
        expected = AbsoluteBodyModel(model)(pose2d, confidence, known)
        feed = {"pose2d": pose2d, "confidence": confidence, "known": known}
        result = session.run(list(expected._fields), {k: v.numpy() for k, v in feed.items()})
        for name, a, b in zip(expected._fields, result, expected, strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), atol=2e-4, rtol=2e-3, err_msg=name)


def test_the_predictor_runs_the_graph(model, tmp_path):
    export_body_model(model, tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(100, 600, (3, 17, 2))
    poses = Predictor(tmp_path / "model.onnx")(keypoints, image_size=(1280, 720))
    assert poses.skeleton == BODY_46
    assert poses.pose3d_std.shape == (3, 46) and (poses.pose3d_std > 0).all()
    assert poses.to("coco_17").pose3d.shape == (3, 17, 3)
    assert poses.to("h36m_16").pose3d_std.shape == (3, 16)
    limbs = poses.to("coco_17")
    np.testing.assert_allclose(limbs.confidence, 1)


def only(ending):
    """Confidence of the limb joints of one definition."""
    limbs = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    return torch.tensor([[float(j.endswith(tuple(x + ending for x in limbs)))
                          for j in BODY_46.joints]])  # fmt: skip


def test_definitions_of_a_joint_share_an_input(model):
    place = {joint: torch.randn(2) for joint in BODY_46.joints if joint.endswith("_h36m")}
    pose2d = torch.stack(
        [place.get(j, place.get(f"{j}_h36m", torch.zeros(2))) for j in BODY_46.joints]
    )[None]
    coco, h36m = (model(pose2d, only(ending)) for ending in ("", "_h36m"))
    torch.testing.assert_close(coco.view.center, h36m.view.center)
    torch.testing.assert_close(coco.view.scale, h36m.view.scale)
    mean, _, given = model._slots(pose2d, only(""), only(""))
    others = model._slots(pose2d, only("_h36m"), only("_h36m"))
    torch.testing.assert_close(mean, others[0])
    torch.testing.assert_close(given, others[2])
    assert not torch.allclose(coco.facing, h36m.facing)  # the definition is an input, too


def test_crop_does_not_depend_on_joints_of_the_head_unless_few_limbs_are_visible(model):
    pose2d = torch.randn(1, 46, 2)
    head = torch.tensor([[float(j in ("nose", "left_ear", "right_eye")) for j in BODY_46.joints]])
    with_head, without = (model(pose2d, only("") + extra) for extra in (head, 0 * head))
    torch.testing.assert_close(with_head.view.scale, without.view.scale)
    few = head.clone()
    few[0, BODY_46.index("left_wrist")] = 1
    assert model(pose2d, few).view.scale.item() > 0.01


def test_exported_checkpoint_in_half_precision(model, tmp_path):
    path = tmp_path / "model.pt"
    network = {"width": 64, "blocks": 1}
    torch.save({"network": network, "state": model.state_dict(), "card": {"a": 1}}, path)
    for name, half in (("single", False), ("half", True)):
        export_body_checkpoint(find_body_checkpoint(tmp_path), tmp_path / f"{name}.onnx", half)
    pose2d = np.random.default_rng(0).uniform(0, 500, (4, 17, 2))
    single, half = (
        Predictor(tmp_path / f"{name}.onnx")(pose2d, image_size=(640, 480)).pose3d
        for name in ("single", "half")
    )
    assert np.abs(single - half).max() < 0.01 * np.abs(single).max()
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("single", "half")]
    assert sizes[1] < 0.65 * sizes[0]


def test_safetensors_next_to_the_graph(model, tmp_path):
    """Weights in half precision with their card; they are exported, evaluated and loaded again."""
    path = tmp_path / "model.pt"
    network = {"width": 64, "blocks": 1}
    model.calibration.fill_(0.75)
    torch.save({"network": network, "state": model.state_dict(), "card": {"a": 1}}, path)
    files = export_body_checkpoint(path, tmp_path / "half.onnx", half=True, license="CC-BY-4.0")
    assert [file.name for file in files] == ["half.onnx", "half.safetensors"]
    again, card, license = load_body_model(find_body_checkpoint(files[1]))
    assert (card, license) == ({"a": 1}, "CC-BY-4.0")
    pose2d, confidence, _ = inputs(9)
    given, expected = (AbsoluteBodyModel(m.eval())(pose2d, confidence) for m in (again, model))
    torch.testing.assert_close(given.pose3d, expected.pose3d, atol=0.02, rtol=0.01)
    torch.testing.assert_close(given.pose3d_std, expected.pose3d_std, atol=0.002, rtol=0.02)
    evaluated, file = load_for_evaluation(files[1])
    assert file == files[1] and read_card(file) == {"a": 1}
    assert torch.equal(evaluated(pose2d, confidence).pose3d, given.pose3d)
    with pytest.raises(ValueError, match="use the weights human36m"):
        load_model(files[1])
    with pytest.raises(ValueError, match="cannot write to"):
        export_body_checkpoint(files[1], tmp_path / "half.onnx")


@pytest.mark.parametrize("half", [False, True])
def test_a_graph_is_its_checkpoint(model, tmp_path, half):
    """Of batch norm as well, with a channel that it switches off."""
    with torch.no_grad():
        model.first[1].running_mean.normal_()
        model.first[1].running_var.uniform_(0.5, 2)
        model.first[1].weight.uniform_(-1, 1)[3] = 0
        model.calibration.fill_(0.75)
    export_body_model(model, tmp_path / "a.onnx", {"a": 1}, "CC-BY-4.0", half)
    found = find_body_checkpoint(tmp_path / "a.onnx")
    assert found is not None and is_body_checkpoint(found)
    again, card, license = load_body_model(found)
    assert (card, license) == ({"a": 1}, "CC-BY-4.0")
    pose2d, confidence, _ = inputs(9)
    tolerance = {"atol": 0.02, "rtol": 0.01} if half else {"atol": 1e-5, "rtol": 1e-5}
    for mode in (False, True):
        given, expected = (m.train(mode)(pose2d, confidence) for m in (again, model))
        torch.testing.assert_close(given.facing, expected.facing, **tolerance)
    export_body_checkpoint(found, tmp_path / "b.onnx", half)
    assert (tmp_path / "b.safetensors").is_file()
    with pytest.raises(ValueError, match="use the weights human36m"):
        load_model(found)


@pytest.mark.parametrize(
    ("name", "license"), [("open", "CC-BY-4.0"), ("research", "non-commercial")]
)
def test_weights_in_the_package_are_checkpoints(name, license):
    content = load_body_model(find_body_checkpoint(name))
    assert license in content.license and license in Predictor(name).metadata["license"]
    assert content.card["config"]["recipe"] == "simulated"


def test_other_files_are_not_exported(tmp_path):
    assert find_body_checkpoint(tmp_path) is None
    (tmp_path / "model.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a model.pt, .safetensors"):
        export_body_checkpoint(tmp_path / "model.pt", tmp_path / "a.onnx")
