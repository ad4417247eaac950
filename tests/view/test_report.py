"""The HTML report: self-contained, and its content."""

import builtins
import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import walk

from camerapose.core.poses import Poses
from camerapose.view.report import write_report
from camerapose.view.report.curves import joint_angles, time_axis
from camerapose.view.report.plots import MAX_POSES


@pytest.fixture(scope="module")
def poses():
    ground_truth, _ = walk(frames=300)
    return replace(ground_truth, image_size=np.tile(np.float32([1280, 720]), (300, 1)))


def test_page_is_self_contained(poses, tmp_path):
    path = write_report(poses, tmp_path / "report.html", "walk <1>")
    page = path.read_text()
    assert "walk &lt;1&gt;" in page and "<h2>" not in page
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', page)
    names = re.findall(r'"name":"(\d+)"', page)
    assert "addFrames" in page and '"yaxis7"' in page
    assert len(set(names)) == MAX_POSES and {"0", "299"} <= set(names)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_each_person_has_a_section(poses, tmp_path):
    other = replace(poses[:40], labels={k: v[:40] for k, v in poses.labels.items()})
    other = replace(other, labels=other.labels | {"person": np.full(40, 3)})
    page = write_report(Poses.cat([poses, other]), tmp_path / "report.html").read_text()
    assert page.index("Person 0") < page.index("Person 3")


def test_refinement_of_each_joint(poses, tmp_path):
    moved = poses.pose2d.copy()
    elbow = poses.skeleton.index("left_elbow")
    moved[:, elbow, 0] += 10 * 2 / 1280  # ten pixels
    refined = replace(poses[:9], refined2d=moved[:9])
    page = write_report(refined, tmp_path / "report.html").read_text()
    assert "<td>left elbow</td><td>10.0</td><td>10.0</td><td>1.00</td>" in page
    assert "0.6 pixels on average" in page and "<td>right elbow</td><td>0.0</td>" in page
    unseen = replace(refined, confidence=np.zeros_like(refined.confidence))
    assert "Refinement" not in write_report(unseen, tmp_path / "report.html").read_text()


def test_joint_angles(poses):
    angles = joint_angles(poses)
    assert set(angles) == {
        f"{s} {j}"
        for s in ("left", "right")
        for j in ("knee flexion", "elbow flexion", "hip flexion")
    }
    straight = replace(poses, pose3d=poses.pose3d.copy())
    hip, knee, ankle = (poses.skeleton.index(f"left_{j}") for j in ("hip", "knee", "ankle"))
    straight.pose3d[:, hip], straight.pose3d[:, knee] = [0, 0, 4], [0, 0.4, 4]
    straight.pose3d[:150, ankle], straight.pose3d[150:, ankle] = [0, 0.8, 4], [0.4, 0.4, 4]
    knees = joint_angles(straight)["left knee flexion"]
    np.testing.assert_allclose(knees[:150], 0, atol=0.1)
    np.testing.assert_allclose(np.abs(knees[150:]), 90, atol=0.1)


def test_time_axis(poses):
    times, unit = time_axis(poses)
    np.testing.assert_allclose(times, poses.labels["time"])
    assert unit == "seconds"
    bare = replace(poses, labels={"frame": np.arange(300)})
    np.testing.assert_allclose(time_axis(bare)[0], np.arange(300))
    assert time_axis(bare)[1] == "frame"


def test_single_pose_has_no_curves(poses, tmp_path):
    page = write_report(poses[:1], tmp_path / "report.html").read_text()
    figure = page[page.rindex("Plotly.newPlot") :]
    assert "left knee" in figure and "scatter3d" in figure
    assert "addFrames" not in figure and '"yaxis2"' not in figure


def test_no_poses_and_no_plotly(poses, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no person was detected"):
        write_report(poses[:0], tmp_path / "a.html")
    real = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("plotly"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ValueError, match=r"camerapose\[report\]"):
        write_report(poses, tmp_path / "a.html")
