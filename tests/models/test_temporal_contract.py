"""The contract of temporal models, checked for every file in `models/temporal`."""

import pytest
from helpers.temporal import (
    check_export,
    check_shapes,
    check_training,
    check_window,
)

from camerapose.core.joint_formats import BODY_46, H36M_16
from camerapose.core.plugins import available

NAMES = available("temporal")
EVERY = pytest.mark.parametrize("name", NAMES)


def test_the_model_of_the_shipped_configuration_is_available():
    assert "dilated" in NAMES


@EVERY
@pytest.mark.parametrize("frames", [1, 2, 40])
def test_shapes(name, frames):
    check_shapes(name, frames)


@EVERY
def test_each_frame_depends_on_its_window_only(name):
    check_window(name)


@EVERY
def test_training_reduces_the_loss_and_evaluation_is_deterministic(name):
    check_training(name)


@EVERY
@pytest.mark.parametrize("skeleton", [H36M_16, BODY_46], ids=lambda s: s.name)
def test_exported_graph(name, skeleton, tmp_path):
    check_export(name, skeleton, tmp_path / "model_temporal.onnx")
