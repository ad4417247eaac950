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


@pytest.fixture(scope="session")
def body_graph(tmp_path_factory):
    """Path of a graph of a small untrained `BodyModel`, with inputs for known quantities."""
    torch = pytest.importorskip("torch")
    from camerapose.models.body_export import export_body_model
    from camerapose.models.body_model import N_KNOWN, BodyModel

    torch.manual_seed(0)
    model = BodyModel(width=32, blocks=1)
    torch.nn.init.normal_(model.last.weight, std=0.05)
    known = torch.full((256, N_KNOWN), torch.nan)
    model.train()(0.3 * torch.randn(256, 46, 2), torch.rand(256, 46), known)
    path = tmp_path_factory.mktemp("body") / "model.onnx"
    export_body_model(model.eval(), path)
    return path


#: Test files that take more than a few seconds; `make test-quick` leaves them out.
SLOW_FILES = {
    "test_adapt.py", "test_batch.py", "test_benchmarks.py", "test_body_model.py", "test_compact.py",
    "test_discriminators.py", "test_distillation.py", "test_examples.py", "test_export.py",
    "test_extending.py",
    "test_full_disk.py", "test_fuzz.py", "test_fuzz_inputs.py", "test_generated.py",
    "test_golden.py", "test_gpu_benchmark.py", "test_keypoint_formats.py",
    "test_known_quantities.py", "test_lifters.py", "test_mutated_media.py",
    "test_open_benchmarks.py", "test_paper.py", "test_privacy.py", "test_processes.py",
    "test_refiner.py", "test_rendered.py", "test_report_browser.py", "test_resume.py",
    "test_serve.py", "test_simulated.py", "test_temporal_clips.py", "test_temporal_contract.py",
    "test_temporal_training.py", "test_training.py",
}  # fmt: skip


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in SLOW_FILES:
            item.add_marker(pytest.mark.slow)
