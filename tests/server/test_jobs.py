"""Predictions of the web page: results, rejected uploads, limits and deletion of files."""

import errno
import json
import os
import time
import zipfile
from pathlib import Path

import pytest
from helpers.fakes import SIZE, person, write_video
from helpers.prediction import ScriptedDetector
from PIL import Image

from camerapose.core.limits import Limits
from camerapose.infer.options import PredictOptions
from camerapose.server import jobs as jobs_module
from camerapose.server import limits as limits_module
from camerapose.server.jobs import Jobs
from camerapose.server.limits import ServerLimits


@pytest.fixture
def jobs(detector, graph, tmp_path):
    def make(**limits):
        options = PredictOptions(weights=graph, threads=1)
        return Jobs(tmp_path, options, ServerLimits(**limits))

    return make


def test_photo(jobs, photo):
    result = jobs().run(str(photo))
    assert "1 pose" in result.summary and "wrote" not in result.summary
    assert result.video is None and Path(result.figure).name == "man_poses.png"
    assert result.report.startswith("<iframe") and "three" in result.report.lower()
    names = [Path(file).name for file in result.files]
    assert names[0] == "camerapose.zip"
    assert {"poses.json", "man.trc", "man.bvh", "man.glb", "man.c3d"} <= set(names)
    assert set(zipfile.ZipFile(result.files[0]).namelist()) >= set(names[1:])


def test_full_disk_leaves_no_result(jobs, photo, tmp_path, monkeypatch):
    """Nobody receives the address of a result whose archive is incomplete."""

    def full(archive, file, name):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(OSError, match=r"cannot write .*camerapose.zip: no space left"):
        jobs().run(str(photo))
    assert list(tmp_path.iterdir()) == [photo.parent]


def test_video(jobs, tmp_path):
    result = jobs().run(str(write_video(tmp_path / "walk.mkv")))
    assert Path(result.video).name == "overlay.mp4" and result.figure is None


def test_options_reach_predict(jobs, photo):
    result = jobs().run(str(photo), people=2, height=1.5)
    file = next(file for file in result.files if file.endswith("poses.json"))
    people = json.loads(Path(file).read_text())["poses"]
    report = result.report.replace("&lt;", "<").replace("&gt;", ">")
    assert len(people) == 2 and ">1.50<" in report


def test_no_person(jobs, photo):
    Image.new("RGB", SIZE, "black").save(photo)
    result = jobs().run(str(photo))
    assert "No person was detected" in result.summary and not result.files and not result.report


def test_long_video_is_cut_with_a_message(jobs, tmp_path):
    path = str(write_video(tmp_path / "walk.mkv", 30))
    result = jobs(max_seconds=1.0).run(path)
    assert "is 3 s long" in result.summary and "10 frames" in result.summary


def test_readable_part_of_a_damaged_video(jobs, tmp_path):
    whole = write_video(tmp_path / "walk.mkv", 40).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2])
    result = jobs().run(str(cut))
    assert "**cut.mkv is damaged or truncated" in result.summary and result.files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///home/other/private.ts\n", "is a text file"),
        ("a.mp4", b"\0\1\2\3" * 200, "cannot be read as a video"),
        ("a.mp4", b"", "the file is empty"),
        ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(99), "cannot be read as an image"),
        ("a.json", b"[]", "neither an image nor a video"),
        ("a.txt", b"hello", "neither an image"),
    ],
)
def test_unreadable_uploads(jobs, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    work = jobs()
    with pytest.raises(ValueError, match=message) as error:
        work.run(str(path))
    assert str(tmp_path) not in work.without_folder(str(error.value))


def test_limits(jobs, photo, monkeypatch):
    with pytest.raises(ValueError, match="limit is 0.0001 MB"):
        jobs(max_megabytes=1e-4).run(str(photo))
    monkeypatch.setattr(limits_module, "WEB", Limits(max_pixels=1000))
    with pytest.raises(ValueError, match="640 x 480 pixels"):
        jobs().run(str(photo))


def test_missing_and_deleted_file(jobs, photo):
    with pytest.raises(ValueError, match="no file"):
        jobs().run(None)
    photo.unlink()
    with pytest.raises(ValueError, match="upload it again"):
        jobs().run(str(photo))


def test_invalid_height_is_reported_before_prediction(jobs, photo, monkeypatch):
    monkeypatch.setattr(jobs_module, "predict", None)
    with pytest.raises(ValueError, match="give metres"):
        jobs().run(str(photo), height=175)


def test_files_of_an_ended_session_are_deleted(jobs, photo, tmp_path):
    work = jobs()
    mine = work.run(str(photo), visitor="me")
    other = tmp_path / "other" / "man.png"
    other.parent.mkdir()
    Image.new("RGB", SIZE, "white").save(other)
    theirs = work.run(str(other), visitor="them")
    work.end_session("me")
    assert not photo.parent.exists() and other.exists()
    # Results survive a reload of the page until their visitor deletes them.
    assert work.results.load(mine.name) == mine
    work.results.delete(mine.name)
    assert work.results.load(mine.name) is None and not Path(mine.files[0]).exists()
    assert Path(theirs.files[0]).exists()


def age(folder):
    """Make a folder and its content 601 seconds old."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (time.time() - 601,) * 2)


@pytest.mark.parametrize("name", ["", "../upload", "0" * 31, "0" * 32, "g" * 32])
def test_unknown_results(jobs, photo, name):
    work = jobs()
    work.results.delete(name)
    assert work.results.load(name) is None and photo.exists()


def test_a_result_that_is_looked_at_does_not_expire(jobs, photo):
    work = jobs(keep_minutes=10.0)
    result = work.run(str(photo))
    age(Path(result.files[0]).parent)
    assert work.results.load(result.name) is not None
    work.delete_expired()
    assert all(Path(file).exists() for file in result.files)


def test_choice_of_people_and_floor(jobs, tmp_path):
    video = str(write_video(tmp_path / "walk.mkv"))
    everyone = jobs().run(video, people=2, ground=True)
    assert "pitch" in everyone.summary
    largest = jobs().run(video, people=2, which="largest")
    numbers = []
    for result in (everyone, largest):
        file = next(file for file in result.files if file.endswith("poses.json"))
        numbers.append(len({row["person"] for row in json.loads(Path(file).read_text())["poses"]}))
    assert numbers == [2, 1]


def test_people_in_few_frames_are_left_out(jobs, tmp_path, monkeypatch):
    """Two of 30 frames may be a false detection; videos of a few frames keep everyone."""
    monkeypatch.setattr("helpers.fakes.Detector", ScriptedDetector)
    for frames, brief, expected in ((30, 2, {0}), (6, 1, {0, 1})):
        both = [person(200, number=0), person(420, number=1)]
        people = [both if i < brief else both[:1] for i in range(frames)]
        monkeypatch.setattr(ScriptedDetector, "people", people)
        result = jobs().run(str(write_video(tmp_path / "walk.mkv", frames)), people=2)
        file = next(file for file in result.files if file.endswith("poses.json"))
        rows = json.loads(Path(file).read_text())["poses"]
        assert {row["person"] for row in rows} == expected
        assert ("selected 1 of 2 people" in result.summary) == (len(expected) == 1)


def test_fewest_frames():
    assert limits_module.fewest_frames(None, 1800) == 1  # unknown length, such as a GIF
    assert limits_module.fewest_frames(5000, 1800) == 10
    assert limits_module.fewest_frames(45, 1800) == 4
    assert limits_module.fewest_frames(3, 1800) == 1


def test_progress_covers_all_steps(jobs, tmp_path):
    seen = []
    video = str(write_video(tmp_path / "walk.mkv", 30))
    jobs().run(video, report=lambda part, text: seen.append((part, text)))
    parts = [part for part, _ in seen]
    assert parts == sorted(parts) and parts[0] == 0 and parts[-1] == 1
    assert "finding people: frame 30 of 30" in " ".join(text for _, text in seen)
    for step in ("computing 3D poses", "writing files", "drawing the video: frame 30 of 30"):
        assert any(step in text for _, text in seen)


def test_same_file_of_two_visitors_remains_until_both_have_left(jobs, photo):
    served = jobs()
    for visitor in "ab":
        served.begin_session(visitor)
        served.register(str(photo), visitor)
    served.end_session("a")
    assert photo.exists() and "1 pose" in served.run(str(photo), visitor="b").summary
    served.end_session("b")
    assert not photo.exists()


def test_expired_files_are_deleted(jobs, photo, tmp_path):
    work = jobs(keep_minutes=10.0)
    result = work.run(str(photo))
    young = tmp_path / "young"
    young.touch()
    os.utime(photo, (time.time() - 601,) * 2)
    place = Path(result.files[0]).parent
    age(place / "camerapose")
    work.delete_expired()
    assert young.exists() and not photo.exists()
    assert work.results.load(result.name) == result  # as a whole or not at all
    age(place)
    work.delete_expired()
    assert work.results.load(result.name) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [young]


def test_no_result_is_left_that_nobody_can_open(jobs, photo, tmp_path):
    work = jobs()

    def leave(part, text):
        work.begin_session("me")
        work.end_session("me")

    with pytest.raises(ValueError, match="the page was closed"):
        work.run(str(photo), visitor="me", report=leave)
    photo.parent.mkdir()
    Image.new("RGB", SIZE, "black").save(photo)
    work.run(str(photo))  # no person
    assert not list(tmp_path.glob("results-*"))


def test_predictions_end_when_the_server_stops(jobs, photo, tmp_path):
    work = jobs()
    with pytest.raises(ValueError, match="the server is stopping"):
        work.run(str(photo), report=lambda part, text: work.stopped.set())
    assert not list(tmp_path.glob("results-*"))
    with pytest.raises(ValueError, match="the server is stopping"):  # one that waited
        work.run(str(photo))
    assert work.stop(1.0) == 0
