"""Files of a prediction: exports, overlay, a full disk, lines of a webcam."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import SIZE, Detector, write_video
from helpers.prediction import run
from PIL import Image

from camerapose.core.limits import Limits
from camerapose.infer import pipeline
from camerapose.io import webcam
from camerapose.io.source import Source
from camerapose.view.window import Window


class TestFiles:
    def test_exports(self, detector, graph, tmp_path):
        video = write_video(tmp_path / "walk.mp4")
        run(video, tmp_path / "one", graph, export=("trc", "bvh", "csv"))
        assert {"walk.trc", "walk.bvh", "walk.csv"} <= {
            path.name for path in (tmp_path / "one").iterdir()
        }
        frames = (tmp_path / "one" / "walk.trc").read_text().splitlines()[2].split("\t")[2]
        assert frames == "20"
        with pytest.raises(ValueError, match="unknown export 'fbx'.*bvh, c3d, csv"):
            run(video, tmp_path / "two", graph, export=("fbx",))
        assert not (tmp_path / "two").exists()

    def test_ground_plane(self, detector, graph, tmp_path):
        """Exported points are level; the poses stay in the camera frame."""
        video, lines = write_video(tmp_path / "walk.mp4"), []
        plain = run(video, tmp_path / "a", graph, static_camera=True, export=("csv_wide",))
        poses = run(
            video, tmp_path / "b", graph, export=("csv_wide",), ground=True, log=lines.append
        )
        (line,) = [line for line in lines if "estimated camera" in line]
        assert "pitch" in line and "height" in line and "focal length" in line
        np.testing.assert_allclose(poses.pose3d, plain.pose3d, atol=1e-5)
        level, camera = (
            np.genfromtxt(tmp_path / name / "walk.wide.csv", delimiter=",", names=True)
            for name in "ba"
        )
        assert np.abs(level["left_ankle_y_m"] - camera["left_ankle_y_m"]).max() > 0.1
        content = json.loads((tmp_path / "b" / "poses.json").read_text())
        first, ground = content["poses"][0], content["ground"]
        assert {"contact_left", "contact_right"} <= set(first)
        height = (
            np.array(ground["axes"][1]) @ first["pose3d"][content["joints"].index("left_ankle")]
        )
        assert height + ground["camera_height"] == pytest.approx(
            level["left_ankle_y_m"][0], abs=2e-3
        )
        with np.load(tmp_path / "b" / "poses.npz") as arrays:
            np.testing.assert_allclose(arrays["ground_axes"], ground["axes"], atol=1e-6)
        assert json.loads((tmp_path / "a" / "poses.json").read_text())["ground"] is None

    def test_overlay(self, detector, graph, tmp_path):
        """The overlay has every selected frame, drawn on where a person is detected."""
        video = write_video(tmp_path / "walk.mp4", black=(3, 4))
        run(video, tmp_path / "out", graph, overlay=True, start=2, end=12, stride=2)
        source = Source.open(tmp_path / "out" / "overlay.mp4")
        frames = list(source.frames())
        assert len(frames) == 5 and source.info().fps == 5
        drawn = [np.ptp(frame.image.astype(int), axis=(0, 1)).max() > 60 for frame in frames]
        assert drawn == [True, False, True, True, True]  # frame 4 is black
        assert not list((tmp_path / "out").glob("*.part"))
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        with pytest.raises(ValueError, match="overlay requires video"):
            run(tmp_path / "a.png", tmp_path / "out", graph, overlay=True)


@pytest.mark.parametrize("full_from", ["poses.json", "poses.npz", "a_poses.png"])
def test_full_disk(detector, graph, tmp_path, monkeypatch, full_from):
    """Files before the failure are complete; none is incomplete."""
    Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
    replace_file = os.replace

    def full(source, target):
        if Path(target).name == full_from:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=f"{full_from}.*[nN]o space left"):
        run(tmp_path / "a.png", tmp_path / "out", graph, figure=True)
    folder = tmp_path / "out"  # is removed if nothing was written
    written = {path.name for path in folder.iterdir()} if folder.exists() else set()
    order = ["poses.json", "poses.npz", "a_poses.png"]
    assert written == set(order[: order.index(full_from)])


class TestWebcam:
    @pytest.fixture(autouse=True)
    def test_pattern(self, monkeypatch):
        address = "testsrc2=size=96x64:rate=10", "lavfi", {}
        monkeypatch.setattr(webcam, "device", lambda name: address)

    def test_lines_are_written_while_it_runs(self, detector, graph, tmp_path, monkeypatch):
        """Ctrl-C ends a webcam without an error."""
        find, counts = Detector.__call__, []

        def interrupted(self, image, *, track=False):
            live = tmp_path / "out" / "poses.jsonl"
            counts.append(len(live.read_text().splitlines()))
            if len(counts) == 8:
                raise KeyboardInterrupt
            return find(self, image)

        monkeypatch.setattr(Detector, "__call__", interrupted)
        poses = run("0", tmp_path / "out", graph, export=("trc",), figure=True)
        assert counts == list(range(8)) and len(poses) == 7
        lines = (tmp_path / "out" / "poses.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        assert [row["frame"] for row in rows] == list(range(7))
        np.testing.assert_allclose([row["time"] for row in rows], np.arange(7) / 10, atol=1e-6)
        assert {"poses.npz", "poses.json", "webcam.trc", "poses.png"} <= {
            path.name for path in (tmp_path / "out").iterdir()
        }

    def test_only_the_last_frames_are_kept(self, detector, graph, tmp_path, monkeypatch):
        """The memory of a webcam that runs for a day does not grow."""
        monkeypatch.setattr(pipeline, "DEFAULT", Limits(max_live_frames=5))
        lines: list[str] = []
        poses = run("0", tmp_path, graph, end=12, figure=True, log=lines.append)
        assert poses.labels["frame"].tolist() == [7, 8, 9, 10, 11]
        assert "only the last 5 of 12 frames are kept and processed further" in lines
        live = (tmp_path / "poses.jsonl").read_text().splitlines()
        assert [json.loads(line)["frame"] for line in live] == list(range(12))
        assert (tmp_path / "poses.png").exists(), "one of the last frames has been sampled"

    def test_window_ends_the_webcam(self, detector, graph, tmp_path, monkeypatch):
        shown = []

        class FakeWindow(Window):
            def __init__(self):
                pass

            def __exit__(self, *error):
                shown.append("closed")

            def show(self, image):
                shown.append(image.shape)
                return len(shown) < 5

        monkeypatch.setattr("camerapose.infer.live.Window", FakeWindow)
        monkeypatch.setattr("camerapose.infer.request.check_window", lambda: None)
        poses = run("0", tmp_path / "out", graph, show=True)
        assert len(poses) == 5 and shown == [(720, 1280, 3)] * 5 + ["closed"]
        assert len((tmp_path / "out" / "poses.jsonl").read_text().splitlines()) == 5
        Image.new("RGB", (96, 64)).save(tmp_path / "a.png")
        with pytest.raises(ValueError, match="show requires a webcam or a video"):
            run(tmp_path / "a.png", tmp_path / "out", graph, show=True)

    def test_number_of_frames(self, detector, graph, tmp_path):
        assert len(run("0", tmp_path / "out", graph, end=4)) == 4
        with pytest.raises(ValueError, match="webcam 0"):
            run("0", tmp_path / "out", graph, overlay=True)
