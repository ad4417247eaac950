"""Who may import whom: values at the bottom, a using side without torch, networks without data."""

import ast
from pathlib import Path

import pytest

import camerapose

SOURCE = Path(camerapose.__file__).parent
FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
LIFTERS = {name for name in FILES if name.startswith("lifters")}
DATASETS = {name for name in FILES if name.startswith("datasets")}
DETECTORS = {name for name in FILES if name.startswith("detectors")}
TRAINING = {name for name in FILES if name.startswith("training")}

VALUES = {"skeleton", "camera", "poses"}
NETWORKS = {"refiner", "camera_net", "generator", "discriminators", "model"} | LIFTERS
USING = (
    VALUES
    | {
        "__init__",
        "assets",
        "cache",
        "collection",
        "figures",
        "media",
        "motion",
        "overlay",
        "plugins",
        "predict",
        "predictor",
        "report",
        "serve",
        "tracking",
        "visualize",
        "cli",
    }
    | DETECTORS
    | DATASETS
)


def imports(tree, everywhere):
    """Modules that are imported: at import time, or everywhere that is not for types alone."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif everywhere or not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ):
            found |= imports(node, everywhere)
    return found


def of(name, everywhere=False):
    return imports(ast.parse(FILES[name].read_text()), everywhere)


def ours(name, everywhere=False):
    """Our own modules among the imports."""
    names = {m.removeprefix("camerapose.") for m in of(name, everywhere) if "camerapose" in m}
    return {n for n in names if n in FILES and n != "camerapose"}


def test_the_lists_are_of_files():
    assert set(FILES) >= VALUES | NETWORKS | USING
    assert len(LIFTERS) >= 5 and len(DATASETS) >= 5 and len(DETECTORS) >= 2 and len(TRAINING) >= 8


def test_the_walk_sees_imports():
    code = (
        "import a\nfrom b import c\nif TYPE_CHECKING:\n    import d\n"
        "try:\n    import e\nexcept E: pass\nclass F:\n    import f\n    def g(self): import g\n"
    )
    assert imports(ast.parse(code), everywhere=False) == {"a", "b", "b.c", "e", "f"}
    assert imports(ast.parse(code), everywhere=True) == {"a", "b", "b.c", "e", "f", "g"}
    assert "poses" in ours("predictor") and "evaluate" in ours("cli", everywhere=True)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_import_nothing_above(name):
    assert ours(name, everywhere=True) <= VALUES - {name}


@pytest.mark.parametrize("name", sorted(USING))
def test_the_using_side_imports_no_torch(name):
    """Neither itself nor through what it imports with itself."""
    todo, seen = {name}, set()
    while todo:
        module = todo.pop()
        seen.add(module)
        roots = {imported.partition(".")[0] for imported in of(module)}
        assert not roots & {"torch", "roma", "safetensors", "tensorboard", "onnx"}, module
        todo |= ours(module) - seen


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_know_no_settings_data_or_training(name):
    assert not ours(name, everywhere=True) & ({"config", "cache", "evaluate"} | DATASETS | TRAINING)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_data_sets_know_no_network(name):
    below = VALUES | {"cache", "assets", "plugins"} | DATASETS
    assert ours(name, everywhere=True) <= below


@pytest.mark.parametrize("name", sorted(set(FILES) - {"cli"}))
def test_nothing_imports_the_command_line(name):
    assert "cli" not in ours(name, everywhere=True)
