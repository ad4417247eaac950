"""Poses: consistent columns, numpy and torch, in memory and on disk."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from camerapose.core.camera import Camera, denormalize
from camerapose.core.joint_formats import COCO_17, H36M_16, H36M_17, MPII_16
from camerapose.core.poses import Poses


def poses_of(n=6, seed=0, skeleton=H36M_16):
    random = np.random.default_rng(seed)
    j = skeleton.n_joints
    pose3d = (random.normal(size=(n, j, 3)) * 0.4 + [0, 0, 5]).astype(np.float32)
    camera = Camera(
        focal=random.uniform(1, 3, (n, 2)),
        center=random.normal(0, 0.1, (n, 2)),
        translation=pose3d[:, skeleton.root_index],
        distortion=random.normal(0, 0.1, (n, 5)),
    ).map(np.float32)
    return Poses(
        skeleton=skeleton,
        pose2d=camera.project(pose3d),
        confidence=random.uniform(0.1, 1, (n, j)).astype(np.float32),
        pose3d=pose3d,
        camera=camera,
        image_size=np.tile(np.float32([640, 480]), (n, 1)),
        labels={"frame": np.arange(n), "image": np.array([f"{i}.jpg" for i in range(n)])},
    )


def assert_same(a, b, exact=True):
    assert a.skeleton == b.skeleton
    left, right = a.to_numpy().columns(), b.to_numpy().columns()
    assert set(left) == set(right)
    for name, column in left.items():
        if exact or column.dtype.kind != "f":
            assert (column == right[name]).all(), name
        else:
            np.testing.assert_allclose(column, right[name], atol=1e-5, err_msg=name)


def test_concatenating_parts_restores_the_whole():
    poses = poses_of()
    assert_same(Poses.cat([poses[:2], poses[2:5], poses[[5]]]), poses)
    assert_same(Poses.cat(list(poses)), poses)


def test_masks_indices_and_slices_agree():
    poses, rows = poses_of(), np.array([1, 4])
    mask = np.isin(np.arange(6), rows)
    assert_same(poses[mask], poses[rows])
    assert_same(poses[1:5:3], poses[rows])
    assert len(poses[mask]) == 2


def test_concatenation_keeps_shared_columns():
    poses = poses_of()
    less = Poses(H36M_16, poses.pose2d, poses.confidence, labels={"frame": np.arange(6)})
    both = Poses.cat([poses, less])
    assert both.pose3d is None and both.camera is None and list(both.labels) == ["frame"]


def test_mirror_twice_is_identity():
    poses = poses_of()
    assert_same(poses.mirror().mirror(), poses)


def test_mirrored_3d_projects_to_mirrored_2d():
    poses = poses_of()
    flipped = poses.mirror()
    np.testing.assert_allclose(flipped.reprojection, flipped.pose2d, atol=1e-5)
    left, right = H36M_16.index("left_wrist"), H36M_16.index("right_wrist")
    np.testing.assert_allclose(flipped.pose2d[:, left], poses.pose2d[:, right] * [-1, 1], rtol=1e-6)
    np.testing.assert_allclose(flipped.camera.translation, flipped.root_position)


def test_conversion_commutes_with_projection_for_copied_joints():
    poses = poses_of(skeleton=H36M_17)
    small = poses.to(H36M_16)
    assert small.skeleton == H36M_16 and small.pose3d.shape == (6, 16, 3)
    np.testing.assert_allclose(small.reprojection, small.pose2d, atol=1e-6)
    assert small.labels.keys() == poses.labels.keys()


def test_torch_and_back():
    poses = poses_of()
    there = poses.to_torch()
    assert there.pose2d.dtype == torch.float32 and isinstance(there.camera.focal, torch.Tensor)
    assert_same(there.to_numpy(), poses)
    rows = torch.tensor([3, 0])
    assert_same(there[rows], poses[[3, 0]])
    assert_same(there.mirror(), poses.mirror())
    assert_same(there.to(MPII_16), poses.to(MPII_16), exact=False)
    np.testing.assert_allclose(there.reprojection_error, poses.reprojection_error, atol=1e-4)


def test_reprojection_error_is_in_pixels_over_visible_joints():
    poses = poses_of()
    assert poses.reprojection_error.max() < 1e-3
    moved = denormalize(poses.pose2d, poses.image_size) + [3, 4]
    pose2d = poses.pose2d.copy()
    pose2d += np.float32(2 / 640) * np.float32([3, 4])
    np.testing.assert_allclose(denormalize(pose2d, poses.image_size), moved, atol=1e-3)
    off = Poses(H36M_16, pose2d, poses.confidence, poses.pose3d, poses.camera, poses.image_size)
    np.testing.assert_allclose(off.reprojection_error, 5, atol=1e-3)
    confidence = poses.confidence.copy()
    confidence[:, 1:] = 0
    confidence[0] = 0
    pose2d[:, 1:] += 9
    off = Poses(H36M_16, pose2d, confidence, poses.pose3d, poses.camera, poses.image_size)
    np.testing.assert_allclose(off.reprojection_error, [0, 5, 5, 5, 5, 5], atol=1e-3)


def test_without_image_size_the_error_is_normalised():
    poses = poses_of()
    off = Poses(H36M_16, poses.pose2d + 0.5, poses.confidence, poses.pose3d, poses.camera)
    np.testing.assert_allclose(off.reprojection_error, np.sqrt(0.5), atol=1e-5)


def test_save_and_load(tmp_path):
    poses = poses_of()
    poses.save(tmp_path / "poses.npz", note="more than poses")
    assert_same(Poses.load(tmp_path / "poses.npz"), poses)
    poses.to_torch().save(tmp_path / "torch.npz")
    assert_same(Poses.load(tmp_path / "torch.npz"), poses)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["poses.npz", "torch.npz"]


def test_saving_2d_poses(tmp_path):
    poses = Poses(H36M_16, np.zeros((2, 16, 2)), np.zeros((2, 16)))
    poses.save(tmp_path / "poses.npz")
    again = Poses.load(tmp_path / "poses.npz")
    assert again.pose3d is None and again.camera is None and again.labels == {}


def test_columns_are_inverse_of_from_columns():
    poses = poses_of()
    assert_same(Poses.from_columns(H36M_16, poses.columns() | {"unknown": 1}), poses)


def test_wrong_joint_count():
    with pytest.raises(ValueError, match="pose2d has 17 joints but h36m_16 has 16"):
        Poses(H36M_16, np.zeros((1, 17, 2)), np.zeros((1, 17)))


def test_concatenating_different_formats():
    with pytest.raises(ValueError, match=r"2 joint formats \(coco_17, h36m_16\).*to\(skeleton"):
        Poses.cat([poses_of(), poses_of(skeleton=COCO_17)])


def test_missing_columns():
    poses = Poses(H36M_16, np.zeros((1, 16, 2)), np.zeros((1, 16)))
    with pytest.raises(ValueError, match="no pose3d"):
        poses.root_position  # noqa: B018
    with pytest.raises(ValueError, match="no camera"):
        poses.reprojection  # noqa: B018


def test_invalid_files(tmp_path):
    path = tmp_path / "poses.npz"
    with pytest.raises(FileNotFoundError):
        Poses.load(path)
    path.write_text("not an npz")
    with pytest.raises(ValueError, match=r"poses\.npz cannot be read as an \.npz of poses"):
        Poses.load(path)
    poses_of().save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="cannot be read"):
        Poses.load(path)
    np.savez(path, pose2d=np.zeros((1, 16, 2)))
    with pytest.raises(ValueError, match="without confidence, skeleton; it contains pose2d"):
        Poses.load(path)
    np.savez(path, skeleton="h36m_16", pose2d=np.array([{}]), confidence=np.zeros((1, 16)))
    with pytest.raises(ValueError, match="cannot be read"):
        Poses.load(path)
    np.savez(path, skeleton="h36m", pose2d=np.zeros((1, 16, 2)), confidence=np.zeros((1, 16)))
    with pytest.raises(ValueError, match="unknown skeleton 'h36m'"):
        Poses.load(path)


@pytest.mark.parametrize(
    ("column", "shape"),
    [
        ("pose2d", (3,)), ("pose2d", (3, 17, 2)), ("confidence", (4, 16)), ("confidence", ()),
        ("pose3d", (3, 16, 2)), ("label_frame", (2,)), ("camera_focal", (3, 1)),
    ],
)  # fmt: skip
def test_files_with_inconsistent_columns(tmp_path, column, shape):
    columns = {"pose2d": np.zeros((3, 16, 2)), "confidence": np.zeros((3, 16))}
    np.savez(tmp_path / "p.npz", skeleton="h36m_16", **(columns | {column: np.zeros(shape)}))
    with pytest.raises(ValueError, match="of shape .* poses of h36m_16 need"):
        Poses.load(tmp_path / "p.npz")


class TestIndexing:
    def test_an_integer_gives_poses_of_length_one(self):
        poses = poses_of()
        assert len(poses[0]) == 1 and poses[0].pose3d.shape == (1, 16, 3)
        assert poses[-1] == poses[5] == poses[np.int64(5)] == poses[torch.tensor(5)] == poses[[5]]
        assert poses[2].labels["image"].tolist() == ["2.jpg"]
        assert len(poses.camera[3]) == 1

    def test_iteration_yields_single_poses(self):
        poses = poses_of()
        items = list(poses)
        assert len(items) == 6 and all(type(p) is Poses for p in items)
        assert items[4] == poses[4]

    def test_empty_list_and_torch_columns(self):
        poses = poses_of()
        assert len(poses[[]]) == 0
        assert poses.to_torch()[1] == poses[1] and poses.to_torch()[1:3] == poses[1:3]
        assert poses[torch.tensor([1, 2])] == poses[1:3]

    @pytest.mark.parametrize("index", [6, -7])
    def test_out_of_range(self, index):
        with pytest.raises(IndexError, match=f"index {index} is out of range for length 6"):
            poses_of()[index]

    @pytest.mark.parametrize("index", ["pose3d", 1.0, True, None, (0, 1), np.zeros((2, 2), int)])
    def test_other_types(self, index):
        with pytest.raises(TypeError, match="expected an integer, slice, mask"):
            poses_of()[index]


class TestComparison:
    def test_equal_values(self):
        assert poses_of() == poses_of() and poses_of().camera == poses_of().camera
        assert poses_of() == poses_of().to_torch() == poses_of()
        assert poses_of() != poses_of(seed=1) and poses_of() != poses_of()[:5]
        assert poses_of() != "poses" and poses_of().camera != 1
        assert poses_of().camera != poses_of(seed=1).camera

    @pytest.mark.parametrize("name", ["pose3d", "camera", "image_size"])
    def test_missing_columns_differ(self, name):
        poses = poses_of()
        assert replace(poses, **{name: None}) != poses

    def test_skeleton_and_labels_are_compared(self):
        poses = poses_of()
        assert replace(poses, skeleton=replace(H36M_16, name="other")) != poses
        assert replace(poses, labels={}) != poses
        assert replace(poses, labels={**poses.labels, "frame": np.arange(1, 7)}) != poses

    def test_nan_equals_nan(self):
        poses = poses_of()
        undefined = replace(poses, pose3d=np.full_like(poses.pose3d, np.nan))
        assert undefined == replace(poses, pose3d=np.full_like(poses.pose3d, np.nan))

    def test_not_hashable(self):
        for value in (poses_of(), poses_of().camera):
            with pytest.raises(TypeError, match="unhashable"):
                hash(value)


def test_repr_is_short():
    poses = poses_of(n=1000)
    assert repr(poses) == (
        "Poses(n=1000, skeleton='h36m_16', columns=[pose2d, confidence, pose3d, camera], "
        "image_size=640x480, labels=[frame, image])"
    )
    assert "device='cpu'" in repr(poses.to_torch())
    sizes = poses.image_size.copy()
    sizes[0] = 100
    assert "image_size=2 sizes" in repr(replace(poses, image_size=sizes))
    assert repr(poses.camera) == (
        "Camera(n=1000, columns=[focal, center, translation, distortion])"
    )
    assert repr(poses[:0])


def test_conversion_by_name():
    poses = poses_of()
    assert poses.to("coco_17") == poses.to(COCO_17)
    with pytest.raises(ValueError, match="did you mean 'coco_17'"):
        poses.to("coco17")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("confidence", r"confidence has shape \(5, 16\).*\(6, 16\)"),
        ("image_size", "image_size has shape"),
        ("camera", "camera has 5 rows; 6 poses"),
        ("labels", "label frame has 5 rows; 6 poses"),
    ],
)
def test_columns_must_fit(name, message):
    """Checked without jaxtyping, which tests enable and users do not."""
    poses, short = poses_of(), poses_of()[:5]
    object.__setattr__(poses, name, getattr(short, name))
    with pytest.raises(ValueError, match=message):
        poses.__post_init__()


def test_concatenating_nothing():
    with pytest.raises(ValueError, match="no poses to concatenate"):
        Poses.cat([])


def test_save_by_suffix(tmp_path):
    poses = replace(poses_of(), refined2d=poses_of().pose2d)
    poses.save(tmp_path / "poses.JSON")
    content = json.loads((tmp_path / "poses.JSON").read_text())
    assert content == poses.to_dict() and len(content["poses"]) == 6
    with pytest.raises(ValueError, match=r"extra arrays \(note\) need an .npz"):
        poses.save(tmp_path / "poses.json", note=1)


def test_to_dict_is_plain_python():
    poses = replace(poses_of(), refined2d=poses_of().pose2d)
    content = poses.to_torch().to_dict()
    assert json.loads(json.dumps(content)) == content and content["skeleton"] == "h36m_16"


def test_plot_returns_a_figure():
    figure = poses_of()[0].plot()
    assert figure.get_size_inches().min() > 1
