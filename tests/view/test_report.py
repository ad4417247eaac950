"""The HTML report: self-contained, and its content; see also test_report_browser."""

import base64
import io
import json
import re
from dataclasses import replace

import av
import numpy as np
import pytest
from helpers.reports import grey_video, one_person, two_people

from camerapose.core.bones import unit
from camerapose.core.ground import Ground
from camerapose.io.export import tracks
from camerapose.view.report import Recording, write_report
from camerapose.view.report.curves import angle_panels, panels, time_axis
from camerapose.view.report.plots import draw_trajectories, write_plots
from camerapose.view.report.preview import MAX_SECONDS, Preview


@pytest.fixture(scope="module")
def poses():
    return one_person()


@pytest.fixture(scope="module")
def people():
    return two_people()


@pytest.fixture(scope="module")
def video():
    return grey_video()


def data(page):
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.S)[1])


def array(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_page_is_self_contained_and_has_every_pose(people, video, tmp_path):
    path = write_report(people, tmp_path / "report.html", "walk <1>", Recording(video=video))
    page = path.read_text()
    assert "walk &lt;1&gt;" in page and 'name="viewport"' in page
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', page)
    content = data(page)
    assert [person["number"] for person in content["people"]] == [0, 3]
    for person, own in zip(content["people"], (people[:120], people[120:]), strict=True):
        points = array(person["points"], "<i2").reshape(len(own), 16, 3) * person["scale"]
        np.testing.assert_allclose(points, own.pose3d, atol=0.6 * person["scale"])
        np.testing.assert_allclose(array(person["time"], "<f4"), own.labels["time"], atol=1e-6)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_distant_people_fit_into_the_numbers(poses, tmp_path):
    far = replace(poses, pose3d=poses.pose3d + np.float32([0, 0, 900]))
    person = data(write_report(far, tmp_path / "report.html").read_text())["people"][0]
    points = array(person["points"], "<i2").reshape(-1, 16, 3) * person["scale"]
    np.testing.assert_allclose(points, far.pose3d, atol=0.02)


def test_joints_hidden_in_most_poses_are_named(poses, tmp_path):
    confidence = np.ones_like(poses.confidence)
    assert (
        "3D is a guess"
        not in write_report(replace(poses, confidence=confidence), tmp_path / "a.html").read_text()
    )
    confidence[:, poses.skeleton.index("left_ankle")] = 0.1
    page = write_report(replace(poses, confidence=confidence), tmp_path / "a.html").read_text()
    assert "Not visible in most poses, so their 3D is a guess: left ankle." in page


def test_hidden_joints_and_filled_poses_are_marked(poses, tmp_path):
    confidence, wrist = poses.confidence.copy(), poses.skeleton.index("left_wrist")
    confidence[:, wrist] = 0.1
    filled = np.arange(120) == 7
    marked = replace(poses, confidence=confidence, labels=poses.labels | {"filled": filled})
    person = data(write_report(marked, tmp_path / "report.html").read_text())["people"][0]
    hidden = array(person["hidden"], np.uint8).reshape(120, 16).astype(bool)
    assert hidden[:, wrist].all() and hidden[7].all() and hidden.sum() == 120 + 15


def test_refinement_of_each_joint(poses, tmp_path):
    moved = poses.pose2d.copy()
    elbow = poses.skeleton.index("left_elbow")
    moved[:, elbow, 0] += 10 * 2 / 640  # ten pixels
    refined = replace(poses[:9], refined2d=moved[:9])
    page = write_report(refined, tmp_path / "report.html").read_text()
    assert "<td>left elbow</td><td>10.0</td><td>10.0</td><td>1.00</td>" in page
    assert "0.6 pixels on average" in page and "<td>right elbow</td><td>0.0</td>" in page
    unseen = replace(refined, confidence=np.zeros_like(refined.confidence))
    assert "Refinement" not in write_report(unseen, tmp_path / "report.html").read_text()


def test_curves_have_standard_deviations_where_the_poses_have(poses):
    straight = replace(poses, pose3d=poses.pose3d.copy())
    hip, knee, ankle = (poses.skeleton.index(f"left_{j}") for j in ("hip", "knee", "ankle"))
    straight.pose3d[:, hip], straight.pose3d[:, knee] = [0, 0, 4], [0, 0.4, 4]
    straight.pose3d[:60, ankle], straight.pose3d[60:, ankle] = [0, 0.8, 4], [0.4, 0.4, 4]
    known = {panel.title: panel.lines for panel in angle_panels(straight)}
    left, right = known["knee flexion, degrees"]
    assert (left.name, right.name) == ("left", "right") and left.std is None
    np.testing.assert_allclose(left.values[:60], 0, atol=0.1)
    np.testing.assert_allclose(np.abs(left.values[60:]), 90, atol=0.1)
    titles = {panel.title for panel in panels(straight)}
    assert {"trunk, degrees", "shoulder elevation, degrees", "distance from the camera, m"} < titles
    std = np.full(poses.confidence.shape, 0.01, np.float32)
    with_std = angle_panels(replace(poses, pose3d_std=std))
    assert all(line.std is not None and (line.std > 0).all() for p in with_std for line in p.lines)


def test_time_axis(poses):
    times, unit = time_axis(poses)
    np.testing.assert_allclose(times, poses.labels["time"])
    assert unit == "seconds"
    bare = replace(poses, labels={"frame": np.arange(120)})
    np.testing.assert_allclose(time_axis(bare)[0], np.arange(120))
    assert time_axis(bare)[1] == "frame"


def test_single_pose_has_no_curves(poses, tmp_path):
    image = np.zeros((360, 640, 3), np.uint8)
    recording = Recording(images={0: image})
    content = data(write_report(poses[:1], tmp_path / "report.html", "a", recording).read_text())
    assert content["start"] == content["end"] and content["people"][0]["panels"] == []
    assert content["media"]["images"][0]["source"].startswith("data:image/jpeg;base64,")
    assert write_plots(poses[:1], tmp_path) == []


def test_no_poses_and_missing_columns(poses, tmp_path):
    with pytest.raises(ValueError, match="no person was detected"):
        write_report(poses[:0], tmp_path / "a.html")
    with pytest.raises(ValueError, match="no camera"):
        write_report(replace(poses, camera=None), tmp_path / "a.html")


def test_trajectories_and_heights_are_those_of_exported_files(poses):
    """Above the floor if there is a ground."""
    for ground in (None, Ground.of(unit(np.array([0.1, -0.9, -0.3])), 1.6)):
        track = tracks(poses, ground=ground)[0].points[:, poses.skeleton.root_index]
        above, *over_time = draw_trajectories([(0, poses)], ground).axes
        x, y, z = (np.asarray(ax.lines[0].get_ydata()) for ax in over_time)
        np.testing.assert_allclose(np.stack([x, y, -z], axis=1), track, atol=1e-5)
        path = above.lines[0].get_xydata()
        np.testing.assert_allclose(path, track[:, [0, 2]] * [1, -1], atol=1e-5)
        level = "camera" if ground is None else "floor"
        assert over_time[1].get_ylabel() == f"above {level} (y), m"
        lines = {panel.title: panel.lines for panel in panels(poses, ground)}
        head, root = lines[f"height of head and pelvis above the {level}, m"]
        assert (head.name, root.name) == ("head", "pelvis") and head.color != root.color
        np.testing.assert_allclose(root.values, track[:, 1], atol=1e-5)


def test_plots(people, tmp_path):
    files = write_plots(people, tmp_path)
    assert [file.name for file in files] == [
        "angles.png", "angles.pdf", "trajectories.png", "trajectories.pdf",
    ]  # fmt: skip
    assert files[0].read_bytes()[1:4] == b"PNG" and files[1].read_bytes()[:4] == b"%PDF"


def test_video_keeps_the_times_of_its_frames():
    preview = Preview(25.0, 2.0, slowmo=2.0)
    times = [0.4, 0.44, 0.5, 0.9]
    preview.add(np.zeros((90, 160, 3), np.uint8), 3, 0.1)  # of an earlier pass
    for index, time in enumerate(times):
        preview.add(np.zeros((90, 161, 3), np.uint8), index, time)
    content, start = preview.finish()
    assert start == pytest.approx(0.2)
    with av.open(io.BytesIO(content)) as file:
        decoded = [frame.time for frame in file.decode(video=0)]
    np.testing.assert_allclose(decoded, (np.array(times) - 0.4) / 2, atol=1e-3)
    preview.add(np.zeros((90, 160, 3), np.uint8), 9, 0.9)
    preview.add(np.zeros((90, 160, 3), np.uint8), 10, 1.0 + MAX_SECONDS)
    assert preview.finish() is None and Preview(None).finish() is None


def test_long_recordings_show_every_nth_frame(people, tmp_path, monkeypatch):
    """The table still counts all poses."""
    monkeypatch.setattr("camerapose.view.report.MAX_POSES", 60)
    page = write_report(people, tmp_path / "report.html").read_text()
    content = data(page)
    assert "one of 3 frames" in page and "<td>120</td>" in page
    for person, own in zip(content["people"], (people[:120], people[120:]), strict=True):
        times = array(person["time"], "<f4")
        assert len(times) == -(-len(own) // 3)
        assert len(array(person["panels"][0]["lines"][0]["values"], "<f4")) == len(times)
    assert content["end"] == pytest.approx(people.labels["time"].max(), abs=0.1)
