"""Plug-ins are files: `models/lifters/semgcn.py` is the lifter `semgcn`. No registry is kept."""

import importlib
import pkgutil
from difflib import get_close_matches
from types import ModuleType

#: Kinds of plug-ins and the packages that hold them.
KINDS = {
    "lifters": "camerapose.models.lifters",
    "datasets": "camerapose.data.datasets",
    "detectors": "camerapose.detect",
    "exports": "camerapose.io.export",
}


def available(kind: str) -> tuple[str, ...]:
    """Names of the plug-ins of a kind (a key of `KINDS`), sorted.

    Nothing is imported but the folder; files whose name begins with `_` are no plug-ins.
    """
    assert kind in KINDS, kind
    folder = importlib.import_module(KINDS[kind])
    names = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def load(kind: str, name: str) -> ModuleType:
    """The module of a plug-in, imported now.

    Raises:
        ValueError: there is none of this name; the message lists those that are there.
        ImportError: the plug-in needs a package that is not installed.
    """
    names = available(kind)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        one = kind.removesuffix("s")
        raise ValueError(f"unknown {one} {name!r}; there are {', '.join(names) or 'none'}{hint}")
    return importlib.import_module(f"{KINDS[kind]}.{name}")
