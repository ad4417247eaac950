"""`camerapose figure`: frames, images and people that are drawn, and errors."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.drawing import people
from helpers.fakes import write_video
from PIL import Image

from camerapose import Poses
from camerapose.cli.main import main
from camerapose.view import figures


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "walk.mkv", 20)


@pytest.fixture
def result(tmp_path):
    """Write a result folder of two people in frames 4 to 9 of a video."""

    def make(name="result", **change):
        rows = [replace(people(2, [-1, 1], (96, 64)), labels={
            "frame": np.full(2, i), "person": np.arange(2), "time": np.full(2, i / 10)})
            for i in range(4, 10)]  # fmt: skip
        (tmp_path / name).mkdir()
        replace(Poses.cat(rows), **change).save(tmp_path / name / "poses.npz")
        return tmp_path / name

    return make


@pytest.fixture
def drawn(monkeypatch):
    """Record the arguments of the drawing functions, by their name."""
    given = {}

    def watch(name):
        real = getattr(figures, name)

        def call(rows, *rest, **options):
            given[name] = (rows, *rest)
            return real(rows, *rest, **options)

        monkeypatch.setattr(figures, name, call)

    for name in ("draw_frames", "draw_keypoints", "draw_gallery", "draw_two_models"):
        watch(name)
    return given


def test_every_kind_is_drawn(result, video, tmp_path, capsys):
    first, second = result(), result("other")
    for kind in figures.KINDS:
        results = [str(first), str(second / "poses.npz")][: 2 if kind == "compare" else 1]
        out = tmp_path / f"{kind}.png"
        arguments = ["figure", kind, *results, "--input", str(video), "--max-frames", "1"]
        assert main([*arguments, "--out", str(out)]) == 0
        assert min(Image.open(out).size) > 300
        assert str(out) in capsys.readouterr().out


def test_frames_and_their_images(result, video, drawn, tmp_path):
    figures.draw_results("gallery", [result()], tmp_path / "a.png", source=video, frames=[8, 5])
    rows, = drawn["draw_gallery"]  # fmt: skip
    assert [row.title for row in rows] == ["0:00.8", "0:00.5"]
    eighth, fifth = (float(row.image.mean()) for row in rows)
    assert eighth - fifth == pytest.approx(3, abs=1) and fifth == pytest.approx(125, abs=6)
    assert [len(row.poses) for row in rows] == [2, 2]


def test_frames_are_spread(result, drawn, tmp_path):
    figures.draw_results("steps", [result()], tmp_path / "a.png", max_frames=3)
    rows, = drawn["draw_frames"]  # fmt: skip
    assert [row.poses.labels["frame"][0] for row in rows] == [5, 7, 9]
    assert all(row.image is None for row in rows)


def test_photos_of_a_folder(result, drawn, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    names = np.repeat([f"{i}.png" for i in range(6)], 2)
    for i in range(5):  # the last is missing
        Image.new("RGB", (96, 64), (40 * i,) * 3).save(photos / f"{i}.png")
    poses = Poses.load(result() / "poses.npz")
    labels = {"frame": np.repeat(np.arange(6), 2), "image": names}
    folder = result("named", labels=labels)
    assert len(poses) == 12
    figures.draw_results("gallery", [folder], tmp_path / "a.png", source=photos)
    rows, = drawn["draw_gallery"]  # fmt: skip
    assert [row.title for row in rows] == [f"{i}.png" for i in range(6)]
    assert [None if row.image is None else row.image.mean() for row in rows] == [
        0, 40, 80, 120, 160, None]  # fmt: skip


def test_people_are_matched_by_place(result, drawn, tmp_path):
    """Person numbers may differ between trackers, and one result may lack people."""
    first = result()
    poses = Poses.load(first / "poses.npz")
    order = np.arange(12).reshape(6, 2)[:, ::-1].ravel()[:-1]
    swapped = poses[order]
    other = tmp_path / "other.npz"
    replace(swapped, labels=swapped.labels | {"person": np.zeros(11, int)}).save(other)
    figures.draw_results("compare", [first, other], tmp_path / "a.png", frames=[4, 9])
    pairs, names = drawn["draw_two_models"]
    assert names == ("result", "other") and len(pairs) == 3
    for row, same in pairs:
        np.testing.assert_allclose(same.pose3d, row.poses.pose3d)


@pytest.mark.parametrize(
    ("paths", "names"),
    [(["runs/a", "runs/b"], ("a", "b")), (["a/poses.npz", "b/poses.npz"], ("a", "b")),
     (["old/out", "new/out"], ("old", "new")), (["x.npz", "y.npz"], ("x", "y"))],
)  # fmt: skip
def test_names(paths, names):
    assert figures.result_names(paths) == names


class TestErrors:
    def test_kind(self, result, tmp_path):
        with pytest.raises(ValueError, match="choose from keypoints, compare"):
            figures.draw_results("galery", [result()], tmp_path / "a.png")

    def test_count(self, result, tmp_path):
        with pytest.raises(ValueError, match="takes 2 results, got 1"):
            figures.draw_results("compare", [result()], tmp_path / "a.png")
        with pytest.raises(ValueError, match="max_frames is 0"):
            figures.draw_results("steps", [tmp_path], tmp_path / "a.png", max_frames=0)

    def test_missing_result(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="camerapose predict"):
            figures.draw_results("steps", [tmp_path], tmp_path / "a.png")

    def test_only_2d(self, tmp_path):
        replace(people(), pose3d=None, camera=None).save(tmp_path / "a.npz")
        with pytest.raises(ValueError, match="2D poses only"):
            figures.draw_results("steps", [tmp_path / "a.npz"], tmp_path / "a.png")

    def test_no_person(self, tmp_path):
        people()[:0].save(tmp_path / "a.npz")
        with pytest.raises(ValueError, match="no person was detected"):
            figures.draw_results("steps", [tmp_path / "a.npz"], tmp_path / "a.png")

    def test_frames(self, result, tmp_path):
        with pytest.raises(ValueError, match="frame 3, 12; the results have 6 frames from 4 to 9"):
            figures.draw_results("steps", [result()], tmp_path / "a.png", frames=[3, 5, 12])

    def test_input(self, result, tmp_path):
        folder = result()
        with pytest.raises(ValueError, match="keypoints, not images"):
            figures.draw_results("steps", [folder], tmp_path / "a.png", source=folder / "poses.npz")
        Image.new("RGB", (9, 9)).save(tmp_path / "alien.png")
        with pytest.raises(ValueError, match="none of the images"):
            figures.draw_results(
                "steps", [folder], tmp_path / "a.png", source=tmp_path / "alien.png"
            )

    def test_other_people(self, result, tmp_path):
        first = result()
        poses = Poses.load(first / "poses.npz")
        replace(poses, pose2d=poses.pose2d + 1).save(tmp_path / "other.npz")
        with pytest.raises(ValueError, match="no person in common"):
            figures.draw_results("compare", [first, tmp_path / "other.npz"], tmp_path / "a.png")

    def test_format(self, result, tmp_path):
        with pytest.raises(ValueError, match="as an image"):
            figures.draw_results("steps", [result()], tmp_path / "a.doc")
