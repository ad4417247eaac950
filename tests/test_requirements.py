"""The pinned requirements: generated from pyproject.toml, complete and with hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: What each file pins: the dependencies of the package, or its extras.
FILES = {"use": [], "dev": ["test", "lint"], "docs": ["docs"]}


def text(name):
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name):
    """Return {package: versions} of a file."""
    found = {}
    for package, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text(name), re.MULTILINE):
        found.setdefault(canonicalize_name(package), []).append(version)
    return found


def required(extras):
    """Return the direct dependencies of the package with extras."""
    optional = PROJECT["project"]["optional-dependencies"]
    todo = [*PROJECT["project"]["dependencies"], *(f"camerapose[{extra}]" for extra in extras)]
    while todo:
        requirement = Requirement(todo.pop())
        if requirement.name == "camerapose":
            todo += [line for extra in requirement.extras for line in optional[extra]]
        else:
            yield requirement


@pytest.mark.parametrize("name", FILES)
def test_every_line_has_hashes(name):
    entries = re.findall(r"^\w.*?(?=^\w|\Z)", text(name), re.MULTILINE | re.DOTALL)
    assert len(entries) > 20
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]
        assert "==" in entry and "://" not in entry


@pytest.mark.parametrize("name", FILES)
def test_all_dependencies_are_pinned(name):
    """Run `make requirements` after changing pyproject.toml."""
    known = pins(name) | pins("torch")
    for requirement in required(FILES[name]):
        versions = known[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(v) for v in versions), requirement


def test_files_agree():
    """One environment can hold all of them."""
    versions = {}
    for name in (*FILES, "torch"):
        for package, found in pins(name).items():
            assert versions.setdefault(package, found) == found, package
