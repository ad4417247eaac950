"""COCO: a miniature of the official file, and the official file."""

import json

import numpy as np
import pytest
from helpers.coco import person
from helpers.paths import COCO, needs_coco

from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import COCO_17, H36M_16
from camerapose.data.check import check_poses
from camerapose.data.datasets import coco


@pytest.fixture
def content():
    """Return the content of the official file in miniature."""
    flags = [0, 0, 1, 1] + [2] * 13
    return {
        "info": {"year": 2017}, "licenses": [],
        "images": [
            {"id": 42, "file_name": "000000000042.jpg", "width": 640, "height": 480},
            {"id": 7, "file_name": "000000000007.jpg", "width": 427, "height": 640},
        ],
        "annotations": [
            person(1, 42, flags=flags),
            person(2, 42, iscrowd=1, segmentation={"counts": [1], "size": [480, 640]}),
            person(3, 7, flags=0),
            person(4, 7, low=50, high=70),
            person(5, 7),
        ],
        "categories": [{
            "id": 1, "name": "person", "supercategory": "person",
            "keypoints": list(COCO_17.joints), "skeleton": [[16, 14]],
        }],
    }  # fmt: skip


def write(root, content, split="train"):
    folder = root / "annotations"
    folder.mkdir(exist_ok=True)
    (folder / f"person_keypoints_{split}2017.json").write_text(json.dumps(content))
    return root


def test_crowds_and_small_people_are_skipped(tmp_path, content):
    poses = coco.load(write(tmp_path, content))
    assert poses.skeleton == COCO_17 and poses.labels["person"].tolist() == [1, 5]
    assert poses.labels["image"].tolist() == ["000000000042.jpg", "000000000007.jpg"]
    assert poses.image_size.tolist() == [[640, 480], [427, 640]]
    assert poses.confidence[0].tolist() == [0, 0, 0.5, 0.5] + [1] * 13
    assert poses.pose3d is None and poses.pose2d.dtype == np.float32
    pixels = denormalize(poses.pose2d, poses.image_size)[1]
    expected = np.array(content["annotations"][4]["keypoints"]).reshape(17, 3)[:, :2]
    np.testing.assert_allclose(pixels, expected, atol=1e-3)
    everyone = coco.load(tmp_path, min_size=0)
    assert everyone.labels["person"].tolist() == [1, 4, 5]
    assert coco.load(tmp_path, min_joints=16).labels["person"].tolist() == [5]


def test_joints_of_the_model(tmp_path, content):
    poses = coco.load(write(tmp_path, content)).to(H36M_16)
    assert (poses.confidence[1] > 0).all()


def test_folders_and_splits(tmp_path, content):
    write(tmp_path, content, "val")
    for root in (tmp_path, tmp_path / "annotations", coco.files(tmp_path, split="val")[0]):
        poses = coco.load(root, split="val")
        assert set(poses.labels["split"]) == {"val"}
    with pytest.raises(FileNotFoundError, match="no annotations for 'train'"):
        coco.load(tmp_path)
    with pytest.raises(ValueError, match="unknown split 'test' of COCO"):
        coco.load(tmp_path, split="test")


def change(content, place, value):
    *path, last = place
    for key in path:
        content = content[key]
    if value is None:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("annotations",), None, "has no lists of images, annotations, categories"),
        (("annotations",), [], "has no people with labelled joints"),
        (("annotations", 0, "keypoints"), [1, 2, 2] * 14, "annotation 0: got 42 numbers"),
        (("annotations", 0, "keypoints"), [1, 2, float("nan")] * 17, "annotation 0: got visibil"),
        (("annotations", 0, "keypoints"), [float("nan"), 2, 2] * 17, "annotation 0: .*finite"),
        (("annotations", 0, "keypoints"), [1, 2, 3] * 17, "annotation 0: got visibilities"),
        (("annotations", 0, "keypoints"), ["a", 2, 2] * 17, "annotation 0: expected id"),
        (("annotations", 0, "keypoints"), 5, "annotation 0: expected id"),
        (("annotations", 0, "image_id"), 3, "annotation 0: expected .* the images .KeyError"),
        (("annotations", 0), 3, "annotation 0: expected id"),
        (("images", 1, "width"), None, "image 1: expected id, file_name, width, height"),
        (("images", 1, "height"), 0, "image 1: .*0.0 pixels"),
        (("images", 1), [], "image 1: expected"),
        (("categories", 0, "keypoints"), ["nose"], "its category has the keypoints"),
    ],
)
def test_unexpected_content(tmp_path, content, place, value, message):
    change(content, place, value)
    write(tmp_path, content)
    with pytest.raises(ValueError, match=rf"person_keypoints_train2017\.json.*{message}"):
        coco.load(tmp_path)


@pytest.mark.parametrize("how", ["truncated", "empty", "binary"])
def test_damaged_files(tmp_path, content, how):
    path = coco.files(write(tmp_path, content))[0]
    text = path.read_bytes()
    path.write_bytes({"truncated": text[:-200], "empty": b"", "binary": b"\xff\xfe\x00"}[how])
    with pytest.raises(ValueError, match=r"person_keypoints_train2017\.json is not JSON"):
        coco.load(tmp_path)


def test_no_person_large_enough(tmp_path, content):
    with pytest.raises(ValueError, match="none of 3 people has 1 joints and a size of 1000"):
        coco.load(write(tmp_path, content), min_size=1000)


def test_published_counts(tmp_path, content):
    poses = coco.load(write(tmp_path, content), min_size=0)
    report = check_poses(poses, coco.expected(min_size=0))
    assert "split train: 3 of 149,813 published poses" in report.problems


@needs_coco
def test_real_people():
    everyone = coco.load(COCO, split="val", min_size=0)
    annotations = json.loads(COCO.read_bytes())["annotations"]
    labelled = [a for a in annotations if not a["iscrowd"] and a["num_keypoints"]]
    assert len(annotations) == 2213 and len(everyone) == len(labelled)
    assert (everyone.confidence > 0).sum(axis=1).tolist() == [a["num_keypoints"] for a in labelled]
    assert (everyone.confidence > 0).all(axis=1).sum() == 105
    poses = coco.load(COCO, split="val")
    assert 0.9 * len(everyone) < len(poses) < len(everyone)
    visible = denormalize(poses.pose2d, poses.image_size)[poses.confidence > 0]
    assert (visible >= 0).all()
    assert not check_poses(poses, coco.expected(split="val")).problems
