"""The option `camerapose --licences`: licences of packages, libraries and downloads."""

import re
from importlib import metadata
from importlib.resources import files
from typing import Any

from camerapose.io.assets import ASSETS


def overview() -> str:
    """Return a table of the installed dependencies, libraries in the report and downloads."""
    rows = [
        (f"{item.metadata['Name']} {item.version}", _licence(item.metadata))
        for item in dependencies()
    ]
    rows += [(f"{library} (part of report.html)", licence) for library, licence in bundled()]
    downloads = {asset.package for asset in ASSETS.values()}
    rows += [
        (f"{package.spec} ({package.tool}, {package.size} MB, on first use)", package.licence)
        for package in sorted(downloads)
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {licence}" for name, licence in rows)


def bundled() -> list[tuple[str, str]]:
    """Return name with version, and licence, of the JavaScript libraries in the report."""
    text = (files("camerapose.view.report") / "assets" / "LICENSES.txt").read_text(encoding="utf-8")
    copyright, licence, _ = re.split(r"^\w+ under the (\w+) License:$", text, flags=re.MULTILINE)
    return [(line.partition(" (")[0], licence) for line in copyright.splitlines() if line]


def dependencies() -> list[metadata.Distribution]:
    """Return this package and all installed packages that it requires, extras included."""
    found: dict[str, metadata.Distribution] = {}
    names = ["camerapose"]
    while names:
        key = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if key in found:
            continue
        try:
            item = metadata.distribution(key)
        except metadata.PackageNotFoundError:  # an extra that is not installed
            continue
        found[key] = item
        names += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in item.requires or ()]
    return [found[key] for key in sorted(found)]


def _licence(fields: Any) -> str:
    """Return the licence of a package: expression, short text or classifiers."""
    for name in ("License-Expression", "License"):
        text = fields.get(name, "").strip()
        if text and "\n" not in text and len(text) < 80:
            return text
    classifiers = fields.get_all("Classifier") or []
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License ::")]
    return ", ".join(named) or "see its files"
