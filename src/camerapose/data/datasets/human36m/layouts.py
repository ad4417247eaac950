"""The three folder layouts of Human3.6M, and the choice of subjects and actions."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from camerapose.data.datasets.human36m import cdf, h5
from camerapose.data.datasets.human36m.recordings import SUBJECTS, action_name
from camerapose.io.pickles import read_pickled

#: File of VideoPose3D's layout.
POSITIONS = "data_3d_h36m.npz"
HOW_TO_GET = (
    "Give the folder of the official S1/MyPoseFeatures/D3_Positions/*.cdf or, for this file, make "
    "it as VideoPose3D describes "
    "(https://github.com/facebookresearch/VideoPose3D/blob/main/DATASETS.md; Human3.6M itself asks "
    "for a registration at http://vision.imar.ro/human3.6m) and give the folder that holds it."
)


class Layout:
    """Files of a folder; they are read on demand and once.

    Attributes:
        kind: "npz" (VideoPose3D), "cdf" (official) or "h5" (h36m-fetch).
        source: the file or folder, for messages.
    """

    def __init__(self, root: str | Path):
        self.root = Path(root).expanduser()
        self.kind, self._files = "npz", {}
        if not (self.root / POSITIONS).is_file():
            for kind, files in (("cdf", cdf.find(self.root)), ("h5", h5.find(self.root))):
                if files:
                    self.kind, self._files = kind, files
                    break
        if self.kind == "npz":
            find(self.root, POSITIONS)
        self.source = POSITIONS if self.kind == "npz" else str(self.root)

    @cached_property
    def recordings(self) -> Mapping[str, Mapping[str, Any]]:
        """Per subject and action the array (npz) or the file that holds it."""
        if self.kind != "npz":
            return self._files
        return read_tree(find(self.root, POSITIONS), "positions_3d")

    def files(self, subjects: Sequence[str]) -> list[Path]:
        """Return the files that hold these subjects, without reading them."""
        if self.kind == "npz":
            return [find(self.root, POSITIONS)]
        return [path for s in subjects for path in self._files.get(s, {}).values()]

    def subjects(self, requested: Sequence[str]) -> tuple[str, ...]:
        """Return the requested subjects, all of them present; ValueError otherwise."""
        requested = as_names(requested)
        present = [s for s in SUBJECTS if s in self.recordings]
        for subject in requested:
            if subject not in present:
                raise ValueError(
                    f"no subject {subject!r} in {self.source}; it has {', '.join(present)}"
                )
        if not requested:
            raise ValueError(f"no subjects requested; give some of {', '.join(present)}")
        return requested

    def actions(self, requested: Sequence[str] | None) -> frozenset[str]:
        """Return full names of actions; a name without a number selects all its takes."""
        present = {action for actions in self.recordings.values() for action in actions}
        if requested is None:
            return frozenset(present)
        chosen: set[str] = set()
        for name in (requested,) if isinstance(requested, str) else requested:
            takes = {action for action in present if name in (action, action_name(action))}
            if not takes:
                names = ", ".join(sorted({action_name(action) for action in present}))
                raise ValueError(f"no action {name!r} in {self.source}; it has {names}")
            chosen |= takes
        return frozenset(chosen)


def find(root: str | Path, name: str) -> Path:
    """Return the file of this name in a folder; FileNotFoundError says how to obtain it."""
    path = Path(root).expanduser() / name
    if path.is_file():
        return path
    folder = path.parent
    content = "which does not exist"
    if folder.is_dir():
        names = sorted(p.name for p in folder.iterdir())[:8]
        content = f"which contains {', '.join(names) or 'nothing'}"
    raise FileNotFoundError(
        f"Human3.6M: {name} is missing; looked in {folder.absolute()}, {content}. {HOW_TO_GET}"
    )


def read_tree(path: Path, member: str) -> Mapping[str, Mapping[str, Any]]:
    """Read {subject: {action: content}} from an .npz of VideoPose3D."""
    tree = read_pickled(path, member, how_to_get=HOW_TO_GET)
    if not isinstance(tree, dict) or not all(isinstance(v, dict) and v for v in tree.values()):
        raise ValueError(
            f"{path.name} has {member} of type {type(tree).__name__}, not "
            f"{{subject: {{action: array}}}}; {HOW_TO_GET}"
        )
    return tree


def as_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return a tuple of names; a string is split at commas and spaces."""
    return tuple(names.replace(",", " ").split()) if isinstance(names, str) else tuple(names)
