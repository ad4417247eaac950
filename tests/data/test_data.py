"""camerapose data: list, prepare, check, show; what check finds."""

from dataclasses import replace

import numpy as np
import pytest

from camerapose.cli.main import main
from camerapose.core import plugins
from camerapose.core.camera import Camera
from camerapose.core.poses import Poses
from camerapose.data import catalog as data
from camerapose.data.datasets import human36m, synthetic


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def poses():
    made = synthetic.load(n=60)
    return replace(made, labels={"subject": np.repeat(["S1", "S2", "S3"], 20)})


def problems(poses, expected=None):
    return data.check_poses(poses, expected or {}).problems


def test_nothing_is_wrong(poses):
    report = data.check_poses(poses, {"subject": {"S1": 20, "S2+S3": 40}})
    assert report.problems == []
    said = "\n".join(report.lines)
    assert "60 poses of h36m_16" in said and "subject: S1 20, S2 20, S3 20" in said
    assert "as published, by subject: 2 of 2" in said
    assert "published counts: none are known" in data.check_poses(poses, {}).lines


def test_counts_that_differ(poses):
    labels = poses.labels | {"action": np.array(["walk", "run"] * 30)}
    labelled = replace(poses, labels=labels)
    assert problems(labelled, {"subject": {"S1": 21, "S2": None, "S4": 5, "S5": None}}) == [
        "missing, by subject: S4, S5",
        "not among the published, by subject: S3",
        "subject S1: 20 of 21 published poses",
    ]
    by_both = {"subject/action": {"S1/walk": 10, "S2/sit": None}}
    assert "missing, by subject/action: S2/sit" in problems(labelled, by_both)
    assert problems(poses, {"split": {"train": 1}}) == ["there is no label split to count by"]


def test_numbers_that_are_none(poses):
    pose3d = poses.pose3d.copy()
    pose3d[3, 5] = np.nan
    found = problems(replace(poses, pose3d=pose3d))
    assert "1 poses hold NaN or infinity" in found
    confidence = poses.confidence.copy()
    confidence[1, 2] = 1.5
    assert problems(replace(poses, confidence=confidence)) == [
        "1 confidences are not between 0 and 1"
    ]


def test_a_wrong_unit(poses):
    """Millimetres for metres: the projection stays, the body does not."""
    huge = poses.pose3d * 1000
    camera = replace(poses.camera, translation=huge[:, 0].copy())
    found = problems(replace(poses, pose3d=huge, camera=camera))
    assert "people are not of human size: the unit should be metres" in found
    assert any("bone right_hip is" in problem for problem in found)


def test_a_wrong_frame(poses):
    """y up for y down: the 3D no longer falls onto the 2D."""
    flipped = poses.pose3d * np.float32([1, -1, 1])
    camera = replace(poses.camera, translation=flipped[:, 0].copy())
    found = problems(replace(poses, pose3d=flipped, camera=camera))
    assert len(found) == 1 and found[0].startswith("the 3D does not fall onto the 2D (median ")


def test_people_behind_the_camera(poses):
    behind = poses.pose3d * np.float32([-1, -1, -1])
    found = problems(replace(poses, pose3d=behind))
    assert "60 poses are behind the camera" in found
    assert "the cameras' translations are not the roots' places" in found


def test_a_wrong_image_size(poses):
    tiny = replace(poses, pose2d=poses.pose2d + 3)
    assert "most joints are outside the image: wrong size or wrong unit" in problems(tiny)


def test_sides_that_differ(poses):
    pose3d = poses.pose3d.copy()
    knee, ankle = (poses.skeleton.index(f"left_{joint}") for joint in ("knee", "ankle"))
    pose3d[:, ankle] = pose3d[:, knee] + 0.5 * (pose3d[:, ankle] - pose3d[:, knee])
    camera = Camera(poses.camera.focal, poses.camera.center, pose3d[:, 0].copy())
    shorter = replace(poses, pose3d=pose3d, camera=camera, pose2d=camera.project(pose3d))
    found = problems(shorter)
    assert len(found) == 3 and all("left_ankle and its other side differ by" in p for p in found)


def test_2d_alone_and_nothing(poses):
    flat = replace(poses, pose3d=None, camera=None)
    assert problems(flat) == []
    assert problems(poses[:0]) == ["there are no poses"]


@pytest.mark.parametrize("name", plugins.available("datasets"))
def test_every_data_set_is_listed_and_says_what_is_expected(name):
    adapter = plugins.load("datasets", name)
    (entry,) = [e for e in data.entries() if e.name == name]
    assert entry.about and "\n" not in entry.about
    assert entry.state in ("needs no files", f"not in {entry.root}", f"in {entry.root}")
    if hasattr(adapter, "expected"):
        for label, values in adapter.expected().items():
            assert isinstance(label, str)
            for value, count in values.items():
                assert isinstance(value, str) and (count is None or count > 0)


def test_options_from_the_command_line():
    options = data.options(human36m, ["subjects=S9,S11", "frame_step=5", "detections=cpn"])
    assert options == {"subjects": ("S9", "S11"), "frame_step": 5, "detections": "cpn"}
    assert data.options(human36m, ["actions=Walking 1"]) == {"actions": ("Walking 1",)}
    assert data.options(human36m, ['subjects=["S9"]']) == {"subjects": ("S9",)}
    assert data.options(synthetic, ["pitch=[0, 10]"]) == {"pitch": (0, 10)}
    with pytest.raises(ValueError, match="no option 'subject=S9'.*did you mean 'subjects'"):
        data.options(human36m, ["subject=S9"])
    with pytest.raises(ValueError, match="no option 'frame_step'; give KEY=VALUE"):
        data.options(human36m, ["frame_step"])


def test_the_commands(tmp_path, capsys):
    arguments = ["synthetic", "--set", "n=30"]
    assert main(["data", "list"]) == 0
    assert "human36m " in capsys.readouterr().out
    for _ in range(2):  # the second finds it prepared
        assert main(["data", "prepare", *arguments]) == 0
    said = capsys.readouterr()
    assert said.out.count("synthetic: 30 poses of h36m_16, kept in ") == 2
    assert said.err.count("preparing synthetic") == 1
    assert main(["data", "check", *arguments]) == 0
    assert capsys.readouterr().out.endswith("no problems\n")
    out = tmp_path / "poses.png"
    assert main(["data", "show", *arguments, "--out", str(out), "--n", "2"]) == 0
    assert out.stat().st_size > 10_000


def test_commands_that_cannot_be(tmp_path, capsys):
    assert main(["data", "prepare"]) == 2
    assert "which data set? There are" in capsys.readouterr().err
    assert main(["data", "prepare", "human3m"]) == 2
    assert "unknown dataset 'human3m'" in capsys.readouterr().err
    assert main(["data", "check", "human36m", "--root", str(tmp_path)]) == 2
    assert "data_3d_h36m.npz is missing" in capsys.readouterr().err
    assert main(["data", "show", "synthetic", "--n", "0"]) == 2
    assert "n is 0" in capsys.readouterr().err


def test_what_is_not_as_published_is_status_1(tmp_path, capsys):
    tree = {"S1": {"Walking": np.full((3, 32, 3), 1, np.float32)}}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=tree)
    arguments = ["human36m", "--root", str(tmp_path), "--set", "subjects=S1"]
    assert main(["data", "check", *arguments]) == 1
    said = capsys.readouterr().out
    assert "PROBLEM: missing, by subject/action: S1/Directions, S1/Directions 1," in said
    assert "PROBLEM: subject S1: 12 of 248,376 published poses" in said


def test_pictures_of_2d_on_images(tmp_path):
    from PIL import Image

    made = synthetic.load(n=5)
    names = np.array([f"{i}.jpg" for i in range(5)])
    flat = Poses(made.skeleton, made.pose2d, made.confidence, image_size=made.image_size,
                 labels={"image": names})  # fmt: skip
    rows = [data.sample(flat[[i]], None) for i in range(5)]
    from camerapose.view.frames import draw_samples

    assert len([ax for ax in draw_samples(rows).axes if ax.get_visible()]) == 5
    with pytest.raises(FileNotFoundError, match="there is no image .*0.jpg"):
        data.sample(flat[[0]], tmp_path)
    Image.new("RGB", (64, 48)).save(tmp_path / "0.jpg")
    assert data.sample(flat[[0]], tmp_path).image.shape == (48, 64, 3)
