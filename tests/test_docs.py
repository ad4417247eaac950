"""The documentation: generated tables, length, numbers and commands."""

import importlib.util
import re
from pathlib import Path

import pytest

from camerapose.core import formats

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


@pytest.mark.parametrize("skeleton", formats.FORMATS.values(), ids=lambda s: s.name)
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
    custom = formats.get(FORMATS_PAGE.split("```toml\n")[1].split("```")[0])
    assert custom.name == "markers" and custom.n_joints == 8


def test_user_documentation_is_short():
    words = sum(len(page.read_text(encoding="utf-8").split()) for page in PAGES)
    assert words <= 15_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_in_the_documentation_compiles(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        compile(block, str(page), "exec")
