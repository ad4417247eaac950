"""ONNX Runtime sessions: devices and error messages."""

import numpy as np
import onnxruntime
import pytest

from camerapose.io import runtime


@pytest.mark.parametrize("device", runtime.DEVICES)
def test_runs_on_each_installed_device(device, graph):
    """The flat test graph gives the CPU's result; other devices only if installed."""
    if runtime.DEVICES[device][0] not in onnxruntime.get_available_providers():
        pytest.skip(f"no {device}")
    random = np.random.default_rng(0)
    inputs = {
        "pose2d": random.normal(size=(3, 16, 2)).astype(np.float32),
        "confidence": np.ones((3, 16), np.float32),
    }
    expected = runtime.onnx_session(graph).run(["pose3d"], inputs)[0]
    session = runtime.onnx_session(graph, device=device, threads=1)
    assert session.get_providers()[0] == runtime.DEVICES[device][0]
    np.testing.assert_allclose(session.run(["pose3d"], inputs)[0], expected, atol=1e-5)


def test_unknown_device():
    with pytest.raises(ValueError, match=r"unknown device 'gpu'.*cpu, cuda, coreml"):
        runtime.check_device("gpu")


def test_device_without_provider(monkeypatch, graph):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match=r"available: cpu.*onnxruntime-gpu"):
        runtime.onnx_session(graph, device="cuda")


def test_provider_that_fails_to_start(monkeypatch, graph):
    """ONNX Runtime only warns and continues on the CPU."""
    installed = [provider for provider, _, _ in runtime.DEVICES.values()]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: installed)
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, providers: real(path, options, providers=providers[1:]),
    )
    with pytest.raises(ValueError, match="CUDAExecutionProvider failed to start"):
        runtime.onnx_session(graph, device="cuda")


def test_file_without_graph(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(ValueError, match="cannot be read as an ONNX graph"):
        runtime.onnx_session(tmp_path / "bad.onnx")
