"""MPII: miniatures of the common JSON and of the official .mat, and the real JSON."""

import json

import numpy as np
import pytest
from helpers.mpii import official_tree, person, write_json, write_v5, write_v73
from helpers.paths import MPII, needs_mpii
from PIL import Image

from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import H36M_16, MPII_16
from camerapose.data.datasets import mpii


@pytest.fixture
def people():
    return [
        person("a.jpg", 0, missing=(0, 9)),
        person("b.jpg", 1, high=700),
        person("a.jpg", 2),
        person("c.jpg", 3, missing=range(16)),
        person("d.jpg", 4, high=1300),
    ]


def write_tree(path, tree, v73=False):
    (write_v73 if v73 else write_v5)(path, tree)


def write_any_mat(path, people, v73=False):
    write_tree(path, official_tree(people), v73)


def test_people_in_order_without_unannotated_ones(tmp_path, people):
    poses = mpii.load(write_json(tmp_path, people))
    assert poses.skeleton == MPII_16 and len(poses) == 4
    assert poses.labels["image"].tolist() == ["a.jpg", "b.jpg", "a.jpg", "d.jpg"]
    assert poses.labels["person"].tolist() == [0, 0, 1, 0]
    assert set(poses.labels["split"]) == {"train"}
    assert poses.pose3d is None and poses.camera is None
    for column in (poses.pose2d, poses.confidence, poses.image_size):
        assert column.dtype == np.float32 and np.isfinite(column).all()


def test_joints_without_annotation_have_confidence_zero(tmp_path, people):
    poses = mpii.load(write_json(tmp_path, people))
    assert (poses.confidence[0] == 0).nonzero()[0].tolist() == [0, 9]
    assert (poses.pose2d[0, [0, 9]] == 0).all()
    assert (poses.confidence[1:] == 1).all()


def test_denormalised_joints_are_the_pixels(tmp_path, people):
    poses = mpii.load(write_json(tmp_path, people))
    pixels = denormalize(poses.pose2d, poses.image_size)
    for row, i in enumerate([0, 1, 2, 4]):
        visible = poses.confidence[row] > 0
        expected = np.array(people[i]["joints"])[visible]
        np.testing.assert_allclose(pixels[row, visible], expected, atol=1e-3)


def test_assumed_sizes_contain_all_people(tmp_path, people):
    poses = mpii.load(write_json(tmp_path, people))
    assert poses.image_size.tolist() == [[640, 480], [1280, 720], [640, 480], [1920, 1080]]
    people[2] = person("a.jpg", 2, high=700)  # beside another person of the same image
    poses = mpii.load(write_json(tmp_path, people))
    assert poses.image_size[[0, 2]].tolist() == [[1280, 720]] * 2


def test_sizes_read_from_the_images(tmp_path, people):
    (tmp_path / "images").mkdir()
    for name, size in {"a": (500, 400), "b": (801, 703), "d": (1400, 1300)}.items():
        Image.new("L", size).save(tmp_path / "images" / f"{name}.jpg")
    poses = mpii.load(write_json(tmp_path, people), images=tmp_path / "images")
    assert poses.image_size.tolist() == [[500, 400], [801, 703], [500, 400], [1400, 1300]]
    assert mpii.files(tmp_path, images=tmp_path / "images")[1] == tmp_path / "images"


def test_missing_images(tmp_path, people):
    (tmp_path / "images").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "images" / "a.jpg")
    with pytest.raises(FileNotFoundError, match=r"2 of 3 annotated images are not in .*b\.jpg"):
        mpii.load(write_json(tmp_path, people), images=tmp_path / "images")


@pytest.mark.parametrize("v73", [False, True])
def test_official_file_equals_the_json(tmp_path, people, v73):
    write_any_mat(tmp_path / mpii.MAT, people, v73)
    result = mpii.load(tmp_path)
    (tmp_path / "json").mkdir()
    expected = mpii.load(write_json(tmp_path / "json", people))
    order = np.lexsort((expected.labels["person"], expected.labels["image"]))
    expected = expected[order]
    for name, column in expected.columns().items():
        assert (result.columns()[name] == column).all(), name


@pytest.mark.parametrize("v73", [False, True])
def test_one_person_with_one_point(tmp_path, v73):
    """MATLAB writes a list of one element as the element itself."""
    write_any_mat(tmp_path / mpii.MAT, [person(missing=range(15))], v73)
    poses = mpii.load(tmp_path / mpii.MAT)
    assert len(poses) == 1 and poses.confidence.sum() == 1


def test_searched_folders(tmp_path, people):
    write_json(tmp_path, people, "valid")
    poses = mpii.load(tmp_path, split="valid")
    assert set(poses.labels["split"]) == {"valid"}
    for place in (tmp_path / "annot", tmp_path / "annot/valid.json"):
        assert len(mpii.load(place, split="valid")) == 4


def test_conversion_to_16_joints(tmp_path, people):
    poses = mpii.load(write_json(tmp_path, people)).to(H36M_16)
    assert poses.confidence[0, H36M_16.index("right_ankle")] == 0
    assert poses.confidence[0, H36M_16.index("head")] == 0
    assert (poses.confidence[1] > 0).all()


def test_missing_annotations(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no annotations for 'train'; looked for .*mat"):
        mpii.load(tmp_path)


def test_unknown_split(tmp_path):
    with pytest.raises(ValueError, match="unknown split 'test' of MPII; give train or valid"):
        mpii.load(tmp_path, split="test")


def test_official_file_has_no_validation_split(tmp_path, people):
    write_any_mat(tmp_path / mpii.MAT, people)
    with pytest.raises(ValueError, match="has no split 'valid'"):
        mpii.load(tmp_path, split="valid")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is not JSON"),
        ('{"a": 1}', "contains a JSON dict, expected a list of people"),
        ('[{"image": "a.jpg"}]', "person 0: expected image, joints, joints_vis"),
        ("[3]", "person 0: expected"),
        ("[]", "no annotated people"),
        (json.dumps([person() | {"joints": [[1, 2]] * 15}]), r"joints of shape \(15, 2\)"),
    ],
)
def test_invalid_json(tmp_path, content, message):
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        mpii.load(tmp_path)


def test_invalid_mat(tmp_path):
    (tmp_path / mpii.MAT).write_text("not matlab's, but long enough to have a header" * 10)
    with pytest.raises(ValueError, match="cannot be read as a MATLAB file"):
        mpii.load(tmp_path)


@pytest.mark.parametrize("v73", [False, True])
@pytest.mark.parametrize("keep", [0, 100, 700])
def test_truncated_mat(tmp_path, people, v73, keep):
    write_any_mat(tmp_path / mpii.MAT, people, v73)
    (tmp_path / mpii.MAT).write_bytes((tmp_path / mpii.MAT).read_bytes()[:keep])
    with pytest.raises(ValueError, match=rf"{mpii.MAT} cannot be read as a MATLAB file"):
        mpii.load(tmp_path)


@pytest.mark.parametrize("v73", [False, True])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("id", 16.0, "a point has the id 16"),
        ("x", np.nan, "a point has the id .* and the position .nan"),
        ("y", "text", "could not convert string to float"),
    ],
)
def test_unexpected_mat(tmp_path, people, key, value, message, v73):
    tree = official_tree(people)
    tree["annolist"][1]["annorect"][0]["annopoints"]["point"][3][key] = value
    write_tree(tmp_path / mpii.MAT, tree, v73)
    with pytest.raises(
        ValueError, match=rf"{mpii.MAT}, RELEASE.annolist.2., person 0: .*{message}"
    ):
        mpii.load(tmp_path)


@pytest.mark.parametrize("v73", [False, True])
def test_mat_with_missing_fields(tmp_path, people, v73):
    tree = official_tree(people)
    write_tree(tmp_path / mpii.MAT, tree | {"img_train": np.ones(9)}, v73)
    with pytest.raises(ValueError, match="of equal length .got 5 and 9."):
        mpii.load(tmp_path)
    tree.pop("annolist")
    write_tree(tmp_path / mpii.MAT, tree, v73)
    with pytest.raises(ValueError, match="has no RELEASE with annolist"):
        mpii.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[{", b"\xff\xfe"])
def test_truncated_json(tmp_path, content):
    (tmp_path / "train.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"train\.json is not JSON"):
        mpii.load(tmp_path)


def test_annotated_joints_that_are_not_finite(tmp_path):
    one = person()
    one["joints"][5] = [float("nan"), 3.0]
    with pytest.raises(ValueError, match="person 0: annotated joints or the center are not finite"):
        mpii.load(write_json(tmp_path, [one]))
    one["joints_vis"][5] = 0  # ignored for joints that are not annotated
    assert mpii.load(write_json(tmp_path, [one])).confidence[0, 5] == 0


@needs_mpii
def test_real_people():
    train, valid = (mpii.load(MPII, split=split) for split in ("train", "valid"))
    assert len(train) == 14649 and len(valid) == 2958
    assert (train.confidence > 0).all(axis=1).sum() == 9411
    assert not set(train.labels["image"]) & set(valid.labels["image"])
    visible = train.pose2d[train.confidence > 0]
    assert (np.abs(visible) <= 1).mean() > 0.999
    upright = train.to(H36M_16)
    complete = (upright.confidence > 0).all(axis=1)
    head, pelvis = (upright.pose2d[complete, H36M_16.index(j), 1] for j in ("head", "pelvis"))
    assert (head < pelvis).mean() > 0.9
