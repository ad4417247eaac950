"""The floor and the text in overlays."""

import numpy as np
import pytest
from helpers.clips import walk
from helpers.videos import write_h264
from PIL import Image, ImageDraw

from camerapose.core.ground import Ground
from camerapose.io.source import Source
from camerapose.view.overlay import _draw_person, _floor, write_overlay


@pytest.fixture
def poses():
    poses, _ = walk(frames=5)
    columns = poses.columns() | {"image_size": np.full((5, 2), (64, 48), np.float32)}
    return type(poses).from_columns(poses.skeleton, columns)


def test_floor_is_a_grid_below_the_people(poses):
    """Its lines meet the horizon of a pitched camera, and nothing is drawn behind the camera."""
    angle = np.radians(20)
    ground = Ground.of(np.array([0.0, -np.cos(angle), -np.sin(angle)]), 1.5)
    lines = _floor(poses, ground)
    assert len(lines) > 20 and np.isfinite(lines).all()
    horizon = 24 - 64 * np.tan(angle)  # focal length 2: 64 pixels
    assert lines[..., 1].min() > horizon
    on_wall = _floor(poses, Ground.of(np.array([0.0, 0.0, -1.0]), 100.0))  # behind the camera
    assert len(on_wall) in (0, len(on_wall)) and np.isfinite(on_wall).all()


def test_overlay_with_a_floor(poses, tmp_path):
    video = tmp_path / "walk.mp4"
    write_h264(video, 5)
    frames = []
    for name, ground in (("a.mp4", None), ("b.mp4", Ground.of(np.array([0.0, -1.0, 0.0]), 1.0))):
        path = write_overlay(
            poses, Source.open(video), tmp_path / name, ground=ground, progress=False
        )
        frames.append(np.stack([f.image for f in Source.open(path).frames()]).astype(float))
    below = np.abs(frames[1] - frames[0]).mean((0, 2, 3))
    middle = len(below) // 2
    assert below[middle + 2 :].max() > 5 * below[: middle - 4].max()


def test_distance_of_a_person_at_the_border(poses, monkeypatch):
    """The text is inside of the image."""
    draw, boxes = ImageDraw.Draw(Image.new("RGB", (320, 240)), "RGBA"), []
    monkeypatch.setattr(
        draw, "text",
        lambda xy, text, font_size, **_: boxes.append(
            (*xy, xy[0] + draw.textlength(text, font_size=font_size))
        ),
    )  # fmt: skip
    for x in (-5, 160, 318):
        joints = np.tile([x, 100.0], (poses.skeleton.n_joints, 1))
        _draw_person(draw, poses, 0, joints, joints)
    left, top, right = np.transpose(boxes)
    assert (left > 0).all() and (top > 0).all() and (right < 320).all()
    assert left[1] == 160
