"""Import rules: packages form layers, inference needs no PyTorch, and there are no cycles."""

import ast
from pathlib import Path

import pytest

import camerapose

SOURCE = Path(camerapose.__file__).parent
FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
#: Packages that each package may import, besides itself. Lazy and type-only imports count too.
LAYERS = {
    "core": set(),
    "io": {"core"},
    "track": {"core"},
    "detect": {"core", "io", "track"},
    "models": {"core", "io"},
    "data": {"core", "io"},
    "view": {"core", "io"},
    "infer": {"core", "io", "track", "detect", "view"},
    "evaluate": {"core", "io", "models", "data", "infer", "view"},
    "train": {"core", "io", "models", "data", "view", "evaluate"},
    "server": {"core", "io", "infer", "view"},
    "weights": {"core", "io"},
    "cli": {
        "core",
        "io",
        "models",
        "data",
        "view",
        "infer",
        "evaluate",
        "train",
        "server",
        "weights",
    },
}
#: Packages that work without what training installs.
WITHOUT_TORCH = (
    "core", "io", "track", "detect", "view", "infer", "server", "cli", "data", "weights",
)  # fmt: skip
TRAINING = {"torch", "roma", "safetensors", "tensorboard", "onnx", "onnxscript"}
#: Modules of these packages that only training uses.
WITH_TORCH = ("core.geometry", "data.augment")


def package(name):
    return name.partition(".")[0]


def imports(tree, everywhere):
    """Return imported modules: all, or only those imported at run time on import."""
    result = set()
    for node in ast.iter_child_nodes(tree):
        type_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.Import):
            result |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            result |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif everywhere or not (type_only or function):
            result |= imports(node, everywhere)
    return result


def imported(name, everywhere):
    return imports(ast.parse(FILES[name].read_text()), everywhere)


def ours(name, everywhere=True):
    """Return the modules of this package among the imports of a module."""
    prefix = "camerapose."  # `import io` is the standard library's
    names = {m.removeprefix(prefix) for m in imported(name, everywhere) if m.startswith(prefix)}
    names = {n for n in names if n in FILES and n != "camerapose"}
    # `from package import module` names both; the package's own file counts only if used itself.
    return {n for n in names if not any(other.startswith(f"{n}.") for other in names)} - {name}


def test_every_module_belongs_to_a_layer():
    assert {package(name) for name in FILES} - {"__init__", "__main__", "camerapose"} == set(LAYERS)


def test_imports_are_collected():
    code = (
        "import a\nfrom b import c\nif TYPE_CHECKING:\n    import d\n"
        "try:\n    import e\nexcept E: pass\nclass F:\n    import f\n    def g(self): import g\n"
    )
    assert imports(ast.parse(code), everywhere=False) == {"a", "b", "b.c", "e", "f"}
    assert imports(ast.parse(code), everywhere=True) == {"a", "b", "b.c", "d", "e", "f", "g"}
    assert "core.poses" in ours("infer.predictor")


@pytest.mark.parametrize("name", sorted(name for name in FILES if package(name) in LAYERS))
def test_modules_import_only_lower_layers(name):
    allowed = LAYERS[package(name)] | {package(name)}
    assert {package(n) for n in ours(name)} <= allowed


def test_layers_have_no_cycle():
    done = set()
    while len(done) < len(LAYERS):
        ready = {name for name, below in LAYERS.items() if name not in done and below <= done}
        assert ready, f"cycle among {set(LAYERS) - done}"
        done |= ready


def test_modules_have_no_import_cycle():
    """Type-only and lazy imports included."""
    graph = {name: ours(name) for name in FILES}
    finished, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in finished:
            return
        path.append(name)
        for other in sorted(graph[name]):
            visit(other)
        path.pop()
        finished.add(name)

    for name in graph:
        visit(name)


@pytest.mark.parametrize("name", sorted(n for n in FILES if package(n) in WITHOUT_TORCH))
def test_inference_imports_no_torch(name):
    """Neither directly nor through other modules, when it is imported."""
    if name.startswith(WITH_TORCH):
        return
    todo, visited = {name}, set()
    while todo:
        module = todo.pop()
        visited.add(module)
        roots = {m.partition(".")[0] for m in imported(module, everywhere=False)}
        assert not roots & TRAINING, module
        todo |= ours(module, everywhere=False) - visited
