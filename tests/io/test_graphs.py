"""ONNX graphs of other people: external data, unknown operators, other shapes and types."""

import numpy as np
import pytest
from helpers.graphs import FLAT

from camerapose.infer.predictor import Predictor
from camerapose.io.runtime import onnx_session

onnx = pytest.importorskip("onnx")


def test_external_data_are_refused(tmp_path):
    """The file next to it would be read, and any file by other paths."""
    tensor = onnx.numpy_helper.from_array(np.ones(2000, np.float32), "w")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])], "g",
        [value("x", 1, [2000])], [value("y", 1, [2000])], [tensor],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "inside.onnx")
    onnx_session(tmp_path / "inside.onnx")
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin",
              size_threshold=0)  # fmt: skip
    with pytest.raises(ValueError, match="external data.*single file"):
        onnx_session(tmp_path / "m.onnx")


def test_unknown_operators_are_refused(make_graph):
    text = FLAT.replace('opset_import: ["": 17]', 'opset_import: ["": 17, "evil": 1]').replace(
        "reprojection = Identity", "reprojection = evil.Run"
    )
    with pytest.raises(ValueError, match="cannot be read as an ONNX graph"):
        Predictor(make_graph(text))


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\3\4" * 30, b"\x08\x08" * 1000])
def test_damaged_files(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as an ONNX graph"):
        onnx_session(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("focal = Add (center, two)", "focal = Slice (translation, start, axis1, axis1)"),
        ("center = Mul (ground, zero)", "center = Mul (translation, zero)"),
        ("float[n,16,2] pose2d, float[n,16] conf", "float[n,16,3] pose2d, float[n,16] conf"),
        ("float[n,16,2] pose2d", "double[n,16,2] pose2d"),
        ("float[n,16,2] pose2d", "float[1,16,2] pose2d"),
        ("float[n,16,2] pose2d", "float[n] pose2d"),
        ("refined2d = Where (shown, pose2d, place)", "refined2d = Identity (place)"),
    ],
)
def test_other_shapes_and_types_are_refused(make_graph, old, new):
    assert old in FLAT
    with pytest.raises(ValueError, match=r"model\.onnx"):
        Predictor(make_graph(FLAT.replace(old, new)))
