"""`plot`, rows of figures, and writing a figure."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.drawing import grey_image, panel_texts, people

from camerapose import Poses
from camerapose.view.layout import save_figure
from camerapose.view.plot import MAX_FRAMES, plot
from camerapose.view.rows import spread, time_label


def test_one_image_is_one_row():
    poses = people(2, [-1, 1])
    assert len(plot(poses, grey_image()).axes) == len(plot(poses).axes) == 4


def test_frames_are_rows_with_their_time():
    frames = [replace(people(), labels={"frame": np.array([i]), "time": np.array([i / 10])})
              for i in range(20)]  # fmt: skip
    figure = plot(Poses.cat(frames))
    assert len(figure.axes) == 4 * MAX_FRAMES
    assert {"0:00.2", "0:01.8"} <= set(panel_texts(figure))


def test_2d_poses():
    assert len(plot(replace(people(), pose3d=None, camera=None)).axes) == 1


def test_no_poses_and_one_image_of_several_frames():
    with pytest.raises(ValueError, match="got 0 poses"):
        plot(people()[:0])
    with pytest.raises(ValueError, match="poses of 2 frames"):
        plot(replace(people(2), labels={"frame": np.arange(2)}), grey_image())


def test_spread_takes_the_centres_of_equal_parts():
    assert spread(list(range(4, 10)), 3) == [5, 7, 9] and spread([1], 5) == [1]


def test_time_label():
    assert time_label(65.25) == "1:05.2"


def test_failed_write_keeps_the_previous_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(ValueError, match="nonsense"):
        save_figure(plot(people()), tmp_path / "a.nonsense")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
