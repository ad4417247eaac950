"""ONNX graphs of other people: external data, unknown operators, other shapes and types."""

from pathlib import Path

import numpy as np
import pytest
from helpers.graphs import FLAT
from helpers.mutations import mutate_bytes

from camerapose.infer.predictor import Predictor
from camerapose.io.onnx_sizes import check_sizes
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


#: Nodes that compute a tensor `big` of 2.8 GB from a few bytes.
BOMBS = {
    "shape": 'n = Constant <value = int64[1] {700000000}> ()\n big = ConstantOfShape (n)',
    "expand": 'n = Constant <value = int64[1] {700000000}> ()\n big = Expand (x, n)',
    "tile": 'n = Constant <value = int64[1] {700000000}> ()\n big = Tile (x, n)',
    "computed": (
        'a = Constant <value_ints = [26500]> ()\n n = Concat <axis = 0> (a, a)\n'
        "big = ConstantOfShape (n)"
    ),
    "product": (
        'a = Constant <value = int64[1] {26500}> ()\n n = Mul (a, a)\n big = ConstantOfShape (n)'
    ),
    "outer": (
        'n = Constant <value = int64[2] {26500, 1}> ()\n a = ConstantOfShape (n)\n'
        'm = Constant <value = int64[2] {1, 26500}> ()\n b = ConstantOfShape (m)\n big = Add (a, b)'
    ),
    "range": (
        "a = Constant <value_int = 0> ()\n b = Constant <value_int = 700000000>()\n"
        "c = Constant <value_int = 1> ()\n far = Range (a, b, c)\n big = Cast <to = 1> (far)"
    ),
    "pad": 'n = Constant <value = int64[2] {0, 700000000}> ()\n big = Pad (x, n)',
    "random": 'big = RandomNormal <shape = [700000000]> ()',
    "inside": (
        "yes = Constant <value_int = 1> ()\n flag = Cast <to = 9> (yes)\n"
        "big = If (flag) <then_branch = t () => (float[k] u) "
        "{ n = Constant <value = int64[1] {700000000}> ()\n u = ConstantOfShape (n) }, "
        "else_branch = e () => (float[k] v) { v = Identity (x) }>"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_constants_that_are_large_when_computed(tmp_path, name):
    """ONNX Runtime would allocate them when it loads or runs the graph."""
    text = (
        f'<ir_version: 8, opset_import: ["": 17]>\n g (float[1] x) => (float[k] big) {{\n'
        f"{BOMBS[name]}\n}}"
    )
    model = onnx.parser.parse_model(text)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert path.stat().st_size < 1000
    with pytest.raises(ValueError, match=r"m\.onnx cannot.*GB when computed"):
        onnx_session(path)
    path.write_bytes(onnx.parser.parse_model(text.replace("0000000", "0").replace("26500", "26"))
                     .SerializeToString())  # fmt: skip
    onnx_session(path)


def test_declared_inputs_and_sparse_weights(tmp_path):
    value, tensor = onnx.helper.make_tensor_value_info, onnx.numpy_helper.from_array
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    sparse = onnx.helper.make_sparse_tensor(
        tensor(np.ones(1, np.float32), "w"), tensor(np.zeros(1, np.int64), "i"), [700_000_000]
    )
    path = tmp_path / "m.onnx"
    for side, weights, message in ((10**5, [], "value x has"), (10, [sparse], "such as w")):
        shape = [1, 3, side, side]
        graph = onnx.helper.make_graph([node], "g", [value("x", 1, shape)], [value("y", 1, shape)],
                                       sparse_initializer=weights)  # fmt: skip
        path.write_bytes(onnx.helper.make_model(graph, ir_version=8).SerializeToString())
        with pytest.raises(ValueError, match=message):
            onnx_session(path)


def test_sizes_of_damaged_files(make_graph):
    """Any damage is reported by the check itself, with ValueError."""
    whole = Path(make_graph(FLAT)).read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        try:
            check_sizes(memoryview(mutate_bytes(rng, whole)))
        except ValueError:
            refused += 1
    assert 30 < refused < 300
