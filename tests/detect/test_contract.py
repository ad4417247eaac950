"""The contract of detectors that needs no model files, checked for every file in `detect`."""

import inspect

import pytest

from camerapose.core import joint_formats, plugins

EVERY = pytest.mark.parametrize("name", plugins.available("detectors"))


@EVERY
def test_arguments(name):
    """All arguments have defaults; `max_people` and `threads` are given by keyword."""
    arguments = inspect.signature(plugins.load("detectors", name).Detector).parameters
    assert {"model", "max_people", "threads"} <= arguments.keys()
    assert all(a.default is not inspect.Parameter.empty for a in arguments.values())
    assert arguments["max_people"].default == 1 and arguments["threads"].default is None


@EVERY
def test_calls(name):
    detector = plugins.load("detectors", name).Detector
    first, image, track = inspect.signature(detector.__call__).parameters.values()
    assert (image.name, track.name, track.default) == ("image", "track", False)
    assert track.kind is inspect.Parameter.KEYWORD_ONLY
    assert len(inspect.signature(detector.reset).parameters) == 1


@EVERY
def test_joint_format(name):
    """Detectors whose format depends on the model set it in `__init__`."""
    skeleton = getattr(plugins.load("detectors", name).Detector, "skeleton", None)
    assert not isinstance(skeleton, str) or skeleton in joint_formats.FORMATS
