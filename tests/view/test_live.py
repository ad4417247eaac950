"""The live window: its images, its end, and where it cannot be opened."""

import io
import runpy
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.reports import one_person, two_people

from camerapose.view import window
from camerapose.view.live import LEFT_WIDTH, SIZE, SPAN, LiveView
from camerapose.view.style import LEFT, PEOPLE, RIGHT


def has(image, color, box):
    """Whether a part of an image (left, top, right, bottom) contains a colour."""
    left, top, right, bottom = box
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((image[top:bottom, left:right] == rgb).all(-1).any())


FRAME = (0, 0, LEFT_WIDTH, SIZE[1])
SCENE = (LEFT_WIDTH, 0, SIZE[0], SIZE[1] // 2)
CURVES = (LEFT_WIDTH, SIZE[1] // 2, SIZE[0], SIZE[1])


def test_image_has_2d_3d_and_angles():
    poses, view, grey = one_person(), LiveView(), np.full((360, 640, 3), 90, np.uint8)
    for i in range(30):
        image = view.compose(grey, poses[i], i / 30)
    assert image.shape == (SIZE[1], SIZE[0], 3) and image.dtype == np.uint8
    for box in (FRAME, SCENE, CURVES):
        assert has(image, LEFT, box) and has(image, RIGHT, box)
    later = view.compose(grey, None, 30 / 30 + SPAN + 1)
    assert not has(later, LEFT, FRAME) and not has(later, LEFT, SCENE)
    assert not has(later, LEFT, CURVES) and has(later, "#5a5a5a", FRAME)


def test_several_people_have_their_colours():
    people = two_people()
    frame = people[people.labels["frame"] == 40]
    image = LiveView().compose(np.zeros((360, 640, 3), np.uint8), frame, 40 / 30)
    assert len(frame) == 2
    assert has(image, PEOPLE[0], SCENE) and has(image, PEOPLE[3], SCENE)


def test_hidden_joints_are_pale():
    pose = one_person()[0]
    pose.confidence[:] = 0.1
    image = LiveView().compose(np.zeros((360, 640, 3), np.uint8), pose, 0.0)
    assert not has(image, LEFT, SCENE) and not has(image, RIGHT, FRAME)


def test_portrait_frame_fits():
    image = LiveView().compose(np.full((640, 360, 3), 90, np.uint8), None, 0.0)
    columns = (image[SIZE[1] // 2, :LEFT_WIDTH] == 90).all(-1).sum()
    assert columns == round(SIZE[1] * 360 / 640)


class TestWindow:
    def test_images_arrive_and_the_end_is_noticed(self, tmp_path):
        """The process stores the first image and ends, as if the user had closed the window."""
        program = tmp_path / "process.py"
        program.write_text(
            "import sys\n"
            "width, height = map(int, sys.argv[2:])\n"
            "data = sys.stdin.buffer.read(width * height * 3)\n"
            f"open({str(tmp_path / 'image')!r}, 'wb').write(data)\n"
        )
        red = np.zeros((400, 600, 3), np.uint8)
        red[..., 0] = 255
        with window.Window("title", program) as shown:
            assert shown.show(red)
            until = time.monotonic() + 60
            while shown.show(red):
                assert time.monotonic() < until
        assert (tmp_path / "image").read_bytes() == red[..., ::-1].tobytes()

    @pytest.mark.parametrize(("key", "visible"), [(ord("q"), 1.0), (27, 1.0), (255, 0.0)])
    def test_process_ends_with_a_key_or_when_closed(self, monkeypatch, key, visible):
        images = []
        fake = SimpleNamespace(
            WINDOW_NORMAL=0, WINDOW_KEEPRATIO=0, WND_PROP_VISIBLE=4,
            namedWindow=lambda title, flags: None,
            resizeWindow=lambda title, width, height: None,
            imshow=lambda title, image: images.append(image),
            waitKey=lambda milliseconds: key if len(images) == 2 else 255,
            getWindowProperty=lambda title, name: visible if len(images) == 2 else 1.0,
            destroyAllWindows=lambda: images.append(None),
        )  # fmt: skip
        monkeypatch.setitem(sys.modules, "cv2", fake)
        program = runpy.run_path(str(window.PROGRAM))
        data = bytes(range(24)) * 5
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        program["main"]("title", 4, 2)
        assert len(images) == 3 and images[2] is None
        assert images[0].tobytes() == bytes(range(24)) and images[0].shape == (2, 4, 3)

    @pytest.mark.parametrize(("stderr", "message"), [
        ("ModuleNotFoundError: No module named 'cv2'", r"camerapose\[show\]"),
        ("error: The function is not implemented. Rebuild", "headless"),
        ("could not connect to display :77", "':77'"),
    ])  # fmt: skip
    def test_reasons(self, monkeypatch, stderr, message):
        monkeypatch.setenv("DISPLAY", ":77")
        failed = SimpleNamespace(returncode=1, stderr=stderr)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
        with pytest.raises(ValueError, match=message):
            window.check_window()

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 or Wayland")
    def test_no_display(self, monkeypatch):
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        with pytest.raises(ValueError, match="requires a display"):
            window.check_window()
