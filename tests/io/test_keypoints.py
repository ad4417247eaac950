"""Keypoints of other programs: a miniature of every format, and what can be wrong with them."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from helpers.keypoint_files import flat
from helpers.paths import COCO, needs_coco

from camerapose.core.camera import denormalize
from camerapose.core.joint_formats import (
    BODY_25,
    COCO_17,
    COCO_WHOLEBODY_23,
    FORMATS,
    H36M_16,
    HALPE_26,
    OPENPOSE_18,
)
from camerapose.core.poses import Poses
from camerapose.data.datasets import synthetic
from camerapose.io import keypoints, results

SIZE = (640, 480)


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def pixels(poses):
    return denormalize(poses.pose2d, poses.image_size)


def xy(values):
    return np.array(values, float).reshape(-1, 3)[:, :2]


def coco_results(path, **changes):
    entries = [
        {"image_id": 7, "category_id": 1, "keypoints": flat(seed=0), "score": 0.9},
        {"image_id": 7, "category_id": 1, "keypoints": flat(seed=1), "score": 0.8},
        {"image_id": 9, "category_id": 1, "keypoints": flat(seed=2), "score": 0.9},
    ]
    entries[0] |= changes
    return write(path, entries)


def coco_annotations(path):
    points = flat()
    points[2::3] = [0, 1] + [2] * 15
    points[0:2] = [0, 0]
    return write(
        path,
        {
            "images": [
                {"id": 5, "file_name": "empty.jpg", "width": 10, "height": 10},
                {"id": 3, "file_name": "one.jpg", "width": 500, "height": 400},
            ],
            "annotations": [
                {"image_id": 3, "keypoints": points, "num_keypoints": 16, "id": 1},
                {"image_id": 3, "keypoints": [0] * 51, "num_keypoints": 0, "id": 2},
                {"image_id": 5, "bbox": [1, 2, 3, 4], "id": 3},
            ],
            "categories": [{"name": "person", "keypoints": list(COCO_17.joints)}],
        },
    )


def openpose_folder(folder, skeleton=BODY_25):
    folder.mkdir()
    for frame in (2, 10):
        people = [{"person_id": [-1], "pose_keypoints_2d": flat(skeleton, seed=frame)}] * (
            frame // 2
        )
        write(folder / f"walk_{frame:012d}_keypoints.json", {"version": 1.3, "people": people})
    write(folder / "walk_000000000011_keypoints.json", {"version": 1.3, "people": []})
    return folder


def alphapose(path, skeleton=COCO_17):
    return write(
        path,
        [
            {"image_id": f"{i}.jpg", "keypoints": flat(skeleton, i), "score": 2.9, "idx": idx}
            for i, idx in ((0, 4), (0, 2), (3, 4))
        ],
    )


def own_json(path, skeleton=H36M_16):
    points = xy(flat(skeleton)).tolist()
    points[3] = None
    return write(
        path,
        {
            "format": "camerapose", "version": 1, "skeleton": skeleton.name,
            "joints": list(skeleton.joints), "units": {"keypoints": "pixel"},
            "poses": [
                {"frame": 4, "time": 0.2, "person": 1, "image": "x.jpg", "image_size": [640, 480],
                 "keypoints": points, "confidence": [0.5] * 16},
            ],
        },
    )  # fmt: skip


def own_npz(path):
    pose2d = np.random.default_rng(0).uniform(-1, 1, (2, 16, 2)).astype(np.float32)
    size = np.tile(np.float32(SIZE), (2, 1))
    poses = Poses(H36M_16, pose2d, np.ones((2, 16), np.float32), image_size=size,
                  labels={"frame": np.arange(2)})  # fmt: skip
    poses.save(path)
    return path


MAKERS = {
    "coco_results": lambda p: coco_results(p / "results.json"),
    "coco": lambda p: coco_annotations(p / "annotations.json"),
    "openpose": lambda p: next(openpose_folder(p / "frames").glob("*2_keypoints.json")),
    "alphapose": lambda p: alphapose(p / "alphapose-results.json"),
    "own": lambda p: own_json(p / "poses.json"),
    "npz": lambda p: own_npz(p / "poses.npz"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_formats_are_told_apart_by_content(tmp_path, name):
    path = MAKERS[name](tmp_path)
    assert keypoints.recognise(path) == name
    assert all(file.is_file() for file in keypoints.files(path))


@pytest.mark.parametrize("name", MAKERS)
def test_every_format_gives_whole_poses(tmp_path, name):
    poses = keypoints.read(MAKERS[name](tmp_path), image_size=SIZE)
    assert len(poses) and poses.image_size.shape == (len(poses), 2)
    for column in (poses.pose2d, poses.confidence, poses.image_size):
        assert column.dtype == np.float32 and np.isfinite(column).all()
    assert poses.confidence.min() >= 0 and poses.confidence.max() <= 1
    assert "frame" in poses.labels
    assert None not in [poses.labels[k].dtype.kind == "O" for k in poses.labels]


def test_coco_results(tmp_path):
    poses = keypoints.read(coco_results(tmp_path / "r.json"), image_size=SIZE)
    assert poses.skeleton == COCO_17 and len(poses) == 3
    np.testing.assert_allclose(pixels(poses)[1], xy(flat(seed=1)), atol=1e-3)
    np.testing.assert_allclose(poses.confidence, 0.75)
    assert poses.labels["frame"].tolist() == [7, 7, 9]
    assert poses.labels["person"].tolist() == [0, 1, 0]
    assert poses.labels["image"].tolist() == ["7", "7", "9"]


def test_coco_results_that_say_no_scores(tmp_path):
    entry = {"image_id": 1, "keypoints": flat(score=0), "score": 0.9}
    entry["keypoints"][:2] = [0, 0]
    poses = keypoints.read(write(tmp_path / "r.json", [entry]), image_size=SIZE)
    assert poses.confidence[0].tolist() == [0] + [1] * 16


def test_coco_annotations(tmp_path):
    poses = keypoints.read(coco_annotations(tmp_path / "a.json"))
    assert len(poses) == 1 and poses.image_size.tolist() == [[500, 400]]
    assert poses.confidence[0].tolist() == [0, 0.5] + [1] * 15
    assert (poses.pose2d[0, 0] == 0).all()
    np.testing.assert_allclose(pixels(poses)[0, 1:], xy(flat())[1:], atol=1e-3)
    assert {k: v.item() for k, v in poses.labels.items()} == {
        "frame": 1, "person": 0, "image": "one.jpg",
    }  # fmt: skip


@pytest.mark.parametrize("skeleton", [BODY_25, OPENPOSE_18], ids=lambda s: s.name)
def test_openpose_folder(tmp_path, skeleton):
    poses = keypoints.read(openpose_folder(tmp_path / "f", skeleton), image_size=SIZE)
    assert poses.skeleton == skeleton and len(poses) == 6
    assert poses.labels["frame"].tolist() == [2, 10, 10, 10, 10, 10]
    assert poses.labels["person"].tolist() == [0, 0, 1, 2, 3, 4]
    assert poses.labels["image"][0] == "walk_000000000002"
    np.testing.assert_allclose(pixels(poses)[0], xy(flat(skeleton, 2)), atol=1e-3)


def test_openpose_frames_without_numbers_are_counted(tmp_path):
    for name in ("b", "a"):
        people = [{"pose_keypoints_2d": flat(BODY_25)}]
        write(tmp_path / f"{name}_keypoints.json", {"people": people})
    assert keypoints.read(tmp_path, image_size=SIZE).labels["frame"].tolist() == [0, 1]


@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26], ids=lambda s: s.name)
def test_alphapose(tmp_path, skeleton):
    poses = keypoints.read(alphapose(tmp_path / "a.json", skeleton), image_size=SIZE)
    assert poses.skeleton == skeleton
    assert poses.labels["frame"].tolist() == [0, 0, 3]
    assert poses.labels["person"].tolist() == [4, 2, 4]
    assert poses.labels["image"].tolist() == ["0.jpg", "0.jpg", "3.jpg"]


@pytest.mark.parametrize(("joints", "body"), [(133, COCO_WHOLEBODY_23), (136, HALPE_26)])
def test_whole_bodies_begin_with_a_body(tmp_path, joints, body):
    values = np.random.default_rng(0).uniform(1, 400, (joints, 3)).round(2)
    values[: body.n_joints] = np.reshape(flat(body), (-1, 3))
    entry = {"image_id": "0.jpg", "keypoints": values.ravel().tolist(), "score": 1.0}
    poses = keypoints.read(write(tmp_path / "a.json", [entry]), image_size=SIZE)
    assert poses.skeleton == body
    np.testing.assert_allclose(pixels(poses)[0], values[: body.n_joints, :2], atol=1e-3)


def test_our_own_json(tmp_path):
    poses = keypoints.read(own_json(tmp_path / "p.json"))
    assert poses.skeleton == H36M_16 and poses.image_size.tolist() == [[640, 480]]
    assert poses.confidence[0].tolist() == [0.5] * 3 + [0] + [0.5] * 12
    assert [poses.labels[k].item() for k in ("frame", "person", "image")] == [4, 1, "x.jpg"]
    np.testing.assert_allclose(pixels(poses)[0, :3], xy(flat(H36M_16))[:3], atol=1e-3)


def test_what_predict_writes_is_read(tmp_path):
    made = synthetic.load(n=5)
    confidence = made.confidence.copy()
    confidence[1, 3] = 0
    labels = {"frame": np.arange(5) * 2, "person": np.ones(5, int), "image": np.array(["i"] * 5)}
    made = replace(made, refined2d=made.pose2d, confidence=confidence, labels=labels)
    results.write_json(made, tmp_path / "poses.json")
    poses = keypoints.read(tmp_path / "poses.json")
    assert poses.skeleton == made.skeleton and (poses.image_size == made.image_size).all()
    assert (poses.confidence == made.confidence).all()
    seen = confidence > 0
    np.testing.assert_allclose(pixels(poses)[seen], pixels(made)[seen], atol=0.006)
    for name, column in labels.items():
        assert (poses.labels[name] == column).all()


def test_our_own_npz(tmp_path):
    path = own_npz(tmp_path / "p.npz")
    poses, expected = keypoints.read(path), Poses.load(path)
    assert (poses.pose2d == expected.pose2d).all()
    assert (keypoints.read(path, image_size=(9, 9)).image_size == expected.image_size).all()


def test_npz_with_nan(tmp_path):
    pose2d = np.zeros((2, 16, 2), np.float32)
    pose2d[0, 3] = np.nan
    Poses(H36M_16, pose2d, np.full((2, 16), 2, np.float32)).save(tmp_path / "p.npz")
    poses = keypoints.read(tmp_path / "p.npz", image_size=SIZE)
    assert poses.confidence[0, 3] == 0 and poses.confidence.sum() == 31
    assert np.isfinite(poses.pose2d).all() and poses.image_size.tolist() == [list(SIZE)] * 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "null"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_a_number_is_not_seen(tmp_path, value, place):
    path = coco_results(tmp_path / "r.json")
    values = [f"{v}" for v in flat()]
    values[3 * 4 + place] = value
    path.write_text(f'[{{"image_id": 1, "keypoints": [{", ".join(values)}], "score": 1}}]')
    poses = keypoints.read(path, image_size=SIZE)
    assert poses.confidence[0, 4] == 0 and (poses.pose2d[0, 4] == 0).all()
    assert (poses.confidence[0] > 0).sum() == 16


def test_nobody_seen_is_kept_and_says_so(tmp_path):
    entries = [{"image_id": "1.jpg", "keypoints": [0] * 51, "score": 0.1}]
    poses = keypoints.read(write(tmp_path / "a.json", entries), image_size=SIZE)
    assert (poses.confidence == 0).all()


def test_people_outside_the_image_keep_their_place(tmp_path):
    path = coco_results(tmp_path / "r.json", keypoints=(np.array(flat()) + 5000).tolist())
    poses = keypoints.read(path, image_size=SIZE)
    np.testing.assert_allclose(pixels(poses)[0], xy(flat()) + 5000, rtol=1e-4)


# --- image sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("corner", "size"),
    [
        ((600, 400), (640, 480)), ((400, 600), (480, 640)), ((1000, 500), (1280, 720)),
        ((700, 1200), (720, 1280)), ((3000, 1900), (3840, 2160)), ((9000, 450), (9000, 450)),
    ],
)  # fmt: skip
def test_guessed_image_sizes(tmp_path, corner, size):
    values = [np.reshape(flat(seed=i), (17, 3)) * (0.5, 0.5, 1) for i in range(3)]
    values[0][0, :2] = corner
    entries = [{"image_id": i, "keypoints": v.ravel().tolist()} for i, v in enumerate(values)]
    path = write(tmp_path / "r.json", entries)
    with pytest.warns(UserWarning, match=f"assuming {size[0]} x {size[1]} pixels.*pass image_size"):
        poses = keypoints.read(path)
    assert (poses.image_size == size).all()


def test_a_given_size_is_for_what_the_file_does_not_say(tmp_path):
    content = json.loads(coco_annotations(tmp_path / "a.json").read_text())
    content["annotations"].append(content["annotations"][0] | {"image_id": 99})
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "image size")
        poses = keypoints.read(write(tmp_path / "a.json", content), image_size=SIZE)
    assert poses.image_size.tolist() == [[500, 400], list(SIZE)]


@pytest.mark.parametrize("size", [(0, 4), (3,), (4, -1), (float("nan"), 1)])
def test_bad_image_sizes(tmp_path, size):
    with pytest.raises(ValueError, match="expected width and height"):
        keypoints.read(coco_results(tmp_path / "r.json"), image_size=size)


# --- errors -------------------------------------------------------------------------------------


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        keypoints.read(tmp_path / "nowhere.json")
    assert keypoints.recognise(tmp_path / "nowhere.json") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", r"is not JSON .*expected one of: .*camerapose's poses\.npz"),
        ("\ud83d", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "an object with nothing; expected"),
        ('{"a": 1, "b": 2}', "an object with a, b; expected"),
        ("[1, 2]", "a list of int"),
        ("3", "a int"),
        ("[]", "contains no people"),
        ('{"people": []}', "contains no people"),
        ('{"images": [], "annotations": []}', "contains no people"),
        ('{"people": [{"face": 1}]}', "person 0: no pose_keypoints_2d but .* face"),
        ('[{"image_id": 1, "keypoints": "abc"}]', "entry 0: keypoints are not a list"),
        ('[{"image_id": 1, "keypoints": [[1, 2], [3, 4], [1, 1]]}]', "got 2 joints"),
        ('[{"image_id": 1, "keypoints": 5}]', "keypoints are not a list"),
        ('{"format": "camerapose"}', "no 'poses'"),
        ('{"format": "camerapose", "skeleton": "h36m_16", "poses": [{"keypoints": [[1, 2, 3]]}]}',
         "pose 0: got 3 numbers"),
        ('{"format": "camerapose", "skeleton": "h36m_16", "poses": [{"keypoints": [[1, 2]]}]}',
         r"pose 0: got 1 joints, expected 16 \(h36m_16\)"),
        ('{"format": "camerapose", "skeleton": "odd", "poses": [{"keypoints": [[1, 2]]}]}',
         "unknown skeleton 'odd'"),
    ],
)  # fmt: skip
def test_bad_content(tmp_path, text, message):
    path = tmp_path / "k.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=message):
        keypoints.read(path, image_size=SIZE)


def test_unexpected_joint_counts(tmp_path):
    entry = {"image_id": 1, "keypoints": [300.0] * 33, "score": 0.9}
    with pytest.raises(
        ValueError,
        match=r"r\.json, entry 0: got 11 joints, expected 17 \(coco_17\) or 26 \(halpe_26\).*"
        r"skeleton \(known: h36m_16",
    ):
        keypoints.read(write(tmp_path / "r.json", [entry]), image_size=SIZE)
    entries = json.loads(coco_results(tmp_path / "r.json").read_text())
    entries[1]["keypoints"] = flat(HALPE_26)
    with pytest.raises(ValueError, match=r"entry 1: got 78 numbers, expected 51"):
        keypoints.read(write(tmp_path / "r.json", entries), image_size=SIZE)


def test_a_named_skeleton(tmp_path):
    entry = {"image_id": 1, "keypoints": flat(FORMATS["mpii_16"]), "score": 1}
    path = write(tmp_path / "r.json", [entry])
    poses = keypoints.read(path, skeleton="mpii_16", image_size=SIZE)
    assert poses.skeleton.name == "mpii_16"
    with pytest.raises(ValueError, match=r"got 16 joints, expected 17 \(coco_17\)"):
        keypoints.read(path, skeleton="coco_17", image_size=SIZE)
    with pytest.raises(ValueError, match="unknown skeleton 'mpi'"):
        keypoints.read(path, skeleton="mpi", image_size=SIZE)


def test_a_skeleton_that_the_file_contradicts(tmp_path):
    for path in (own_json(tmp_path / "p.json"), own_npz(tmp_path / "p.npz")):
        with pytest.raises(ValueError, match="is in h36m_16, not in coco_17"):
            keypoints.read(path, skeleton="coco_17")


def test_folders_of_other_things(tmp_path):
    with pytest.raises(ValueError, match="contains no keypoint files"):
        keypoints.read(tmp_path)
    assert keypoints.recognise(tmp_path) is None
    coco_results(tmp_path / "r.json")
    assert keypoints.recognise(tmp_path) == "coco_results"  # the only file
    coco_results(tmp_path / "s.json")
    with pytest.raises(ValueError, match=r"r\.json is a list of objects"):
        keypoints.read(tmp_path)
    assert keypoints.recognise(tmp_path) is None


def test_damaged_npz(tmp_path):
    path = tmp_path / "p.npz"
    path.write_text("text")
    with pytest.raises(ValueError, match="is not an .npz"):
        keypoints.read(path)
    assert keypoints.recognise(path) is None
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match="an .npz with a"):
        keypoints.read(path)


@pytest.mark.parametrize("size", [[5], "big", [0, 3], {"w": 1}])
def test_bad_sizes_in_a_file(tmp_path, size):
    content = json.loads(own_json(tmp_path / "p.json").read_text())
    content["poses"][0]["image_size"] = size
    with pytest.raises(ValueError, match="pose 0: "):
        keypoints.read(write(tmp_path / "p.json", content))


@needs_coco
def test_real_coco():
    poses = keypoints.read(COCO)
    assert (poses.confidence > 0).all(axis=1).sum() == 105
    places = pixels(poses)[poses.confidence > 0]
    assert places.min() >= 0
    converted = poses.to(H36M_16)
    assert (converted.confidence > 0).all(axis=1).sum() >= 105


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("image_size", [1768, 10**20], "image size is 1768 x 1e"),
        ("image_size", [0.5, 994], "image size is 0.5 x 994"),
        ("time", 1e300, "time is 1e"),
        ("time", float("inf"), "time is inf"),
    ],
)
def test_implausible_sizes_and_times(tmp_path, key, value, message):
    """Otherwise lifting overflows, after the arrays have been written."""
    joints = [[100.0 + 3 * i, 200.0 + 7 * (i % 5)] for i in range(16)]
    pose = {"frame": 0, "time": 0.0, "image_size": [1768, 994], "keypoints": joints}
    document = {"format": "camerapose", "version": 1, "skeleton": "h36m_16",
                "poses": [pose, pose | {"frame": 1, key: value}]}  # fmt: skip
    path = tmp_path / "poses.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=rf"poses\.json, pose 1.*{message}"):
        keypoints.read(path)
