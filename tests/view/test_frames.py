"""Figures of frames: the right content at the right place."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.drawing import SIZE, grey_image, has_color, panel_texts, people, render

from camerapose.core import joint_formats
from camerapose.view import style
from camerapose.view.frames import draw_frames, draw_samples
from camerapose.view.image_panel import crop_window, to_pixels
from camerapose.view.rows import Row
from camerapose.view.skeleton3d import FRONT, colored_poses, draw_poses
from camerapose.view.style import LEFT, RIGHT


def one(image, poses, title=""):
    return draw_frames([Row(poses, image, title)])


def test_four_panels():
    figure = one(grey_image(), people(), "0:01.0")
    titles = [text.get_text() for text in figure.texts]
    assert len(figure.axes) == 4 and titles[0] == "detected 2D" and titles[3] == "reprojected 2D"
    text = " ".join(panel_texts(figure))
    assert "0:01.0" in text and "4.0 m from the camera" in text
    assert "error 0.0 px, focal length 320 px" in text


def test_left_limbs_are_right_of_the_image_for_a_person_facing_the_camera(tmp_path):
    """Only the 2D panel: blue on one side, vermilion on the other."""
    facing = people().mirror()
    pixels = render(one(None, facing), tmp_path)
    panel = pixels[:-40, : pixels.shape[1] // 4]
    center = {color: np.nonzero(has_color(panel, color))[1].mean() for color in (LEFT, RIGHT)}
    left = facing.pose2d[0, facing.skeleton.index("left_wrist"), 0]
    right = facing.pose2d[0, facing.skeleton.index("right_wrist"), 0]
    assert (center[LEFT] < center[RIGHT]) == (left < right)


def test_floor_below_the_people():
    """A person above the floor, and one on a floor that is not given."""
    pose, lowest = people(), float(people().pose3d[..., 1].max())
    floors, spans = (lowest + 2, None), []
    for floor in floors:
        panel = draw_frames([Row(pose)], floor=floor).axes[1]
        spans.append(float(np.ptp(panel.get_ylim())))
        stage = draw_poses(panel, FRONT, colored_poses(pose, [None]), pose.skeleton, floor=floor)
        assert stage.floor == pytest.approx(lowest + 0.02 if floor is None else floor)
    assert spans[0] > spans[1] + 1


def test_both_sides_are_drawn(tmp_path):
    pixels = render(one(grey_image(), people()), tmp_path)
    assert has_color(pixels, LEFT).mean() > 0.001 and has_color(pixels, RIGHT).mean() > 0.001


def test_invisible_joints_are_left_out():
    poses = people()
    invisible = replace(poses, confidence=np.zeros_like(poses.confidence))
    drawn = [len(one(grey_image(), p).axes[0].collections[0].get_segments())
             for p in (poses, invisible)]  # fmt: skip
    assert drawn == [15, 0]


@pytest.mark.parametrize("size", [(1920, 1080), (480, 640), (100, 100)])
@pytest.mark.parametrize("place", [-3.0, 0.0, 0.4, 8.0])
def test_crop_window_has_the_aspect_and_contains_the_person(size, place):
    poses = people(places=[place], size=size)
    x0, y0, x1, y1 = crop_window(poses, np.array(size, float), 1.1)
    assert (y1 - y0) / (x1 - x0) == pytest.approx(1.1)
    points = to_pixels(poses, poses.pose2d)[0]
    assert (points >= (x0, y0)).all() and (points <= (x1, y1)).all()


def test_image_may_be_smaller_than_image_size():
    """Stored frames are shrunk; keypoints are in pixels of the original."""
    image = grey_image()
    for shown in (image, image[::2, ::2]):
        ax = one(shown, people()).axes[0]
        x0, x1, y1, y0 = ax.images[0].get_extent()
        window = (*ax.get_xlim(), *ax.get_ylim()[::-1])
        assert x0 <= max(0, window[0]) and x1 >= min(SIZE[0], window[1])


def test_several_people_and_rows(tmp_path):
    figure = draw_frames([Row(people(3, [-1.2, 0, 1.2]), grey_image(), "a"), Row(people())])
    assert len(figure.axes) == 8
    pixels = render(figure, tmp_path)
    for color in style.PEOPLE[:3]:
        assert has_color(pixels, color).mean() > 0.0005


@pytest.mark.parametrize("change", ["outside", "huge", "no size", "coco"])
def test_unusual_poses_are_drawn(change, tmp_path):
    poses, image = people(), grey_image()
    if change == "outside":
        poses = people(places=[9.0])
    elif change == "huge":
        poses = replace(poses, pose2d=poses.pose2d * 50)
    elif change == "no size":
        poses, image = replace(poses, image_size=None), None
    else:
        poses = poses.to(joint_formats.COCO_17)
    assert render(one(image, poses), tmp_path).std() > 1


def test_no_person(tmp_path):
    assert render(one(grey_image(), people()[:0]), tmp_path).shape[2] == 3


def test_samples_without_3d_are_four_in_a_row():
    flat = replace(people(), pose3d=None, camera=None)
    axes = draw_samples([Row(flat)] * 6).axes
    assert [ax.get_visible() for ax in axes] == [True] * 6 + [False] * 2
