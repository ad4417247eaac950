"""Dynamic loading: plug-ins by file name, and functions of higher layers that `core` calls.

A plug-in is a file: `models/lifters/semgcn.py` is the lifter `semgcn`. There is no registry.
"""

import importlib
import pkgutil
from collections.abc import Callable
from difflib import get_close_matches
from types import ModuleType
from typing import Any

#: Kinds of plug-ins and the packages that contain them.
KINDS = {
    "lifters": "camerapose.models.lifters",
    "temporal": "camerapose.models.temporal",
    "datasets": "camerapose.data.datasets",
    "detectors": "camerapose.detect",
    "exports": "camerapose.io.export",
    "keypoints": "camerapose.io.keypoints",
}


def available(kind: str) -> tuple[str, ...]:
    """Return the names of the plug-ins of a kind, sorted, without importing them.

    Files whose name begins with `_` are not plug-ins.

    Args:
        kind: a key of `KINDS`.
    """
    assert kind in KINDS, kind
    folder = importlib.import_module(KINDS[kind])
    names = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def load(kind: str, name: str) -> ModuleType:
    """Import a plug-in and return its module.

    Args:
        kind: a key of `KINDS`.
        name: name of the plug-in: its file name without `.py`.

    Raises:
        ValueError: unknown name; the message lists the known ones.
        ImportError: the plug-in needs a package that is not installed.
    """
    names = available(kind)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        one = "temporal model" if kind == "temporal" else kind.removesuffix("s")
        raise ValueError(f"unknown {one} {name!r}; available: {', '.join(names) or 'none'}{hint}")
    return importlib.import_module(f"{KINDS[kind]}.{name}")


def load_function(module: str, name: str) -> Callable[..., Any]:
    """Import a module of the package and return one of its functions.

    For methods of values in `core` that call a higher layer, which `core` does not import.

    Args:
        module: name of the module without `camerapose.`, such as "io.export".
        name: name of the function.
    """
    return getattr(importlib.import_module(f"camerapose.{module}"), name)
