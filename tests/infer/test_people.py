"""Prediction of several people in a video: identities, gaps, one camera per frame."""

import json

import numpy as np
import pytest
from helpers.fakes import person, write_video
from helpers.prediction import ScriptedDetector, run

from camerapose.io.source import Source


class TestPeople:
    @pytest.fixture
    def watch(self, detector, graph, tmp_path, monkeypatch):
        """Return a function that predicts a video with given people in each frame."""

        def watch(people, /, **options):
            monkeypatch.setattr("helpers.fakes.Detector", ScriptedDetector)
            monkeypatch.setattr(ScriptedDetector, "people", people)
            video = write_video(tmp_path / "street.mp4", len(people))
            return run(video, tmp_path / "out", graph, **options)

        return watch

    def test_person_who_returns_keeps_the_identity(self, watch, tmp_path):
        """A single person is missing for three frames and returns elsewhere."""
        before, after = [person(200, number=0)], [person(420, number=1)]
        poses = watch([before] * 8 + [[]] * 3 + [after] * 8, export=("trc", "csv_wide"))
        assert set(poses.labels["person"]) == {0} and len(poses) == 16
        rows = (tmp_path / "out" / "street.wide.csv").read_text().splitlines()[1:]
        assert [i for i, row in enumerate(rows) if ",,," in row] == [8, 9, 10]

    def test_gaps_are_filled(self, watch, tmp_path):
        before, after = [person(200, number=0)], [person(230, number=1)]
        lines = []
        people = [before] * 8 + [[]] * 3 + [after] * 8
        poses = watch(people, fill_gaps=0.5, export=("csv_wide",), log=lines.append)
        assert len(poses) == 19 and any("interpolated 3 poses" in line for line in lines)
        np.testing.assert_array_equal(np.flatnonzero(poses.labels["filled"]), [8, 9, 10])
        assert poses.labels["image"][9] == "street_000009"
        content = json.loads((tmp_path / "out" / "poses.json").read_text())["poses"]
        assert [row["filled"] for row in content[7:12]] == [False, True, True, True, False]
        assert content[9]["keypoints"] == [None] * 16 and content[9]["refinement"] is None
        with np.load(tmp_path / "out" / "poses.npz") as file:
            detected = file["detected_confidence"].max(axis=1) > 0
            np.testing.assert_array_equal(detected, ~file["label_filled"])
        rows = (tmp_path / "out" / "street.wide.csv").read_text().splitlines()[1:]
        assert [row.split(",")[3] for row in rows] == ["0"] * 8 + ["1"] * 3 + ["0"] * 8
        assert (np.abs(np.diff(poses.root_position[:, 0])) < 0.5).all()

    def test_two_people_cross(self, watch, tmp_path):
        """One hides the other; both keep their identities and share one camera."""
        people = []
        for i in range(40):
            both = [person(60 + 12 * i, scale=0.5), person(540 - 12 * i, scale=0.4, score=0.8)]
            hidden = 17 <= i <= 22
            people.append(both[:1] if hidden else both[:: 1 if i % 2 else -1])
        poses = watch(people, max_people=2, export=("trc",))
        for number in (0, 1):
            mine = poses[poses.labels["person"] == number]
            steps = np.diff(mine.root_position[:, 0])
            assert (steps > 0).all() or (steps < 0).all()
        assert (tmp_path / "out" / "street_1.trc").exists()
        frames, count = np.unique(poses.labels["frame"], return_counts=True)
        assert len(frames) == 40 and (count == 2).sum() == 34
        for frame in frames[count == 2]:
            assert np.ptp(poses.camera.focal[poses.labels["frame"] == frame], axis=0).max() == 0

    @pytest.mark.parametrize(
        ("options", "scales"),
        [
            ({"max_people": 3}, [0.5, 0.4, 0.6]),  # in the order of their visibility
            ({"people": "largest"}, [0.6]),
            ({"people": "longest"}, [0.5]),
            ({"people": "left-to-right"}, [0.4, 0.5, 0.6]),
            ({"people": 2}, [0.5, 0.4]),
            ({"max_people": 3, "min_frames": 12}, [0.5, 0.4]),
        ],
    )
    def test_selection_of_people(self, watch, options, scales):
        """Three people, who are visible for 20, 16 and 8 frames."""
        people = [
            [person(300, scale=0.5), person(90, scale=0.4), person(540, scale=0.6)][
                : 1 + (i < 16) + (i < 8)
            ]
            for i in range(20)
        ]
        lines = []
        poses = watch(people, log=lines.append, **options)
        heights = []
        for number in np.unique(poses.labels["person"]):
            own = poses[poses.labels["person"] == number]
            heights.append(float(np.ptp(own.pose2d[0, :, 1])))
        assert list(np.unique(poses.labels["person"])) == list(range(len(scales)))
        assert np.argsort(heights).tolist() == np.argsort(scales).tolist()
        frames = {0.5: 20, 0.4: 16, 0.6: 8}
        assert np.bincount(poses.labels["person"]).tolist() == [frames[s] for s in scales]

    def test_video_without_people(self, watch, tmp_path):
        poses = watch([[]] * 6, overlay=True, report=True, export=("trc",), figure=True)
        assert len(poses) == 0
        written = {path.name for path in (tmp_path / "out").iterdir()}
        assert written == {"poses.npz", "poses.json", "overlay.mp4"}

    def test_variable_frame_rate(self, detector, graph, tmp_path):
        times = np.r_[0:1:0.1, 1:3:0.2]
        video = write_video(tmp_path / "phone.mp4", 20, times=times)
        poses = run(video, tmp_path / "out", graph, overlay=True, export=("csv_wide",))
        np.testing.assert_allclose(poses.labels["time"], times, atol=2e-3)
        shown = [frame.time for frame in Source.open(tmp_path / "out" / "overlay.mp4").frames()]
        np.testing.assert_allclose(shown, times, atol=2e-3)
        rows = (tmp_path / "out" / "phone.wide.csv").read_text().splitlines()[1:]
        assert float(rows[-1].split(",")[1]) == pytest.approx(times[-1], abs=0.2)

    def test_refinement_is_logged(self, watch, tmp_path):
        lines = []
        watch([[person(300)]] * 3, log=lines.append)
        assert "no refinement: these weights use the 2D keypoints unchanged" in lines
        run(tmp_path / "street.mp4", tmp_path / "again", "human36m", log=lines.append)
        assert any(line.startswith("refinement moved joints by") for line in lines)
