"""Fixtures that several test files share."""

from types import SimpleNamespace

import pytest
from helpers import fakes
from helpers.graphs import FLAT

from camerapose.core import plugins


@pytest.fixture(scope="session")
def make_graph(tmp_path_factory):
    """Writes the flat graph, with other metadata or other text on demand; its path."""
    onnx = pytest.importorskip("onnx")
    onnx.parser = pytest.importorskip("onnx.parser")

    def make(text=FLAT, **metadata):
        model = onnx.parser.parse_model(text)
        onnx.helper.set_model_props(model, {"skeleton": "h36m_16", **metadata})
        path = tmp_path_factory.mktemp("graph") / "model.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def detector(monkeypatch):
    """Puts `Detector` in the place of BlazePose."""
    load = plugins.load

    def load_other(kind, name):
        return SimpleNamespace(Detector=fakes.Detector) if name == "blazepose" else load(kind, name)

    monkeypatch.setattr(plugins, "load", load_other)


@pytest.fixture(scope="session")
def graph(make_graph):
    """Path of an ONNX graph that `Predictor` runs; needs no trained weights."""
    return make_graph()
