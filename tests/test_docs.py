"""The documentation: generated tables, length, numbers and commands."""

import ast
import dataclasses
import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from camerapose.cli.main import main
from camerapose.core import joint_formats
from camerapose.train import config_io
from camerapose.train.config import LossWeights

ROOT = Path(__file__).parents[1]
#: Pages for users; the API reference is generated from docstrings.
PAGES = sorted((ROOT / "docs").glob("*.md"))
FORMATS_PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hooks():
    """Return the module that fills in tables when the site is built."""
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "dev" / "mkdocs_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("skeleton", joint_formats.FORMATS.values(), ids=lambda s: s.name)
def test_every_joint_format_is_documented(skeleton, hooks):
    assert f"| `{skeleton.name}` |" in FORMATS_PAGE
    page = hooks.on_page_markdown(FORMATS_PAGE)
    section = page.split(f"### `{skeleton.name}`\n")[1].split("\n### ")[0]
    assert f"{skeleton.n_joints} joints, root `{skeleton.root}`" in section
    for i, (joint, parent) in enumerate(zip(skeleton.joints, skeleton.parents, strict=True)):
        assert f"| {i} | {joint} | {parent or '(root)'} |" in section


def test_all_markers_are_used_and_filled(hooks):
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for marker in hooks.MARKERS:
        assert text.count(marker) == 1
    assert "<!--" not in hooks.on_page_markdown(text)


def test_the_custom_format_of_the_documentation_can_be_read():
    custom = joint_formats.get(FORMATS_PAGE.split("```toml\n")[1].split("```")[0])
    assert custom.name == "markers" and custom.n_joints == 8


def test_user_documentation_is_short():
    words = sum(len(page.read_text(encoding="utf-8").split()) for page in PAGES)
    assert words <= 15_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_in_the_documentation_compiles(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        compile(block, str(page), "exec")


README = ROOT / "README.md"
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in (*PAGES, README)}


def documented_commands():
    """Return each distinct (command, options) in the shell code of the documentation."""
    commands = set()
    for text in TEXTS.values():
        for block in re.findall(r"```bash\n(.*?)```", text, re.S):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if "camerapose" in words and "pip" not in words:
                    _, *words = words[words.index("camerapose") :]
                    name = words[:2] if words[0] == "data" else words[:1]
                    options = {word for word in words if re.match("-[-a-z]", word)}
                    commands.add((" ".join(name), " ".join(sorted(options))))
    return sorted(commands)


@pytest.mark.parametrize("command, options", documented_commands())
def test_documented_options_exist(command, options, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as exit:
        sys.exit(main([*command.split(), "--help"]))
    assert not exit.value.code
    printed = capsys.readouterr().out
    for option in options.split():
        assert re.search(rf"{re.escape(option)}\b", printed), option


def test_documented_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = "".join(TEXTS.values())
    for extras in re.findall(r"camerapose\[([a-z,]+)\]", text):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_documented_paths_of_functions_exist():
    """Checks `models/losses.py:camera_loss` and `core/camera.py:Camera.project`."""
    references = re.findall(r"`([a-z0-9_/]+\.py):([A-Za-z0-9_.]+)`", TEXTS["paper.md"])
    assert len(references) > 40
    for path, name in references:
        body = ast.parse((ROOT / "src" / "camerapose" / path).read_text(encoding="utf-8")).body
        for part in name.split("."):
            body = next((node for node in body if getattr(node, "name", None) == part), None)
            assert body is not None, f"{path}:{name}"
            body = body.body


def test_documented_loss_weights_are_those_of_the_configurations():
    table = TEXTS["paper.md"].split("| setting | default | paper |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`.*?`) \| ([\d.]+) \|.*\| ([\d.]+) \|$", table, re.M)
    quick = config_io.read(ROOT / "configs" / "quick.toml").weights
    for column, weights in enumerate((LossWeights(), quick), start=1):
        documented = {n: float(row[column]) for row in rows for n in re.findall(r"`(\w+)`", row[0])}
        expected = dataclasses.asdict(weights).items()
        assert documented == {k: v for k, v in expected if not isinstance(v, bool)}


def test_the_numbers_in_the_readme_are_measured(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import readme

    for name, make in readme.TABLES.items():
        assert f"<!-- begin {name} -->\n{make()}\n<!-- end {name} -->" in TEXTS["README.md"]
