"""Live view of a camera: the image that the page shows for each frame."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import fakes
from PIL import Image

from camerapose.core import plugins
from camerapose.infer.live_camera import LiveCamera
from camerapose.infer.options import PredictOptions
from camerapose.server.live import _tag
from camerapose.view.live import LEFT_WIDTH, SIZE


@pytest.fixture
def camera(graph, monkeypatch):
    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda kind, name: SimpleNamespace(
        Detector=fakes.Detector) if name == "blazepose" else load(kind, name))  # fmt: skip
    return LiveCamera(PredictOptions(weights=graph, threads=1))


def test_people_are_drawn_in_2d_and_3d(camera):
    white, black = (np.full((720, 960, 3), value, np.uint8) for value in (255, 0))
    shown = [camera(frame) for frame in (white, black, white)]
    assert {view.shape for view in shown} == {(SIZE[1], SIZE[0], 3)}
    scenes = [view[:, LEFT_WIDTH:].min(axis=-1) < 100 for view in shown]
    assert scenes[0].sum() > 500 and scenes[2].sum() > 500, "the person in 3D"
    person = [(view[:, :LEFT_WIDTH].max(axis=-1) < 200).any() for view in (shown[0], shown[2])]
    assert all(person)
    assert shown[1][SIZE[1] // 2, LEFT_WIDTH // 2].max() < 10, "the black frame"


def test_image_is_part_of_the_page():
    view = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    data = _tag(view).partition("base64,")[2].partition('"')[0]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (60, 40)
