"""Open a file or folder so that recognisers can look at its content."""

import csv
import re
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.core.limits import check_archive
from camerapose.io.keypoints import _stream
from camerapose.io.keypoints._stream import Table

#: Suffixes of the files that can contain keypoints, by how they are parsed.
KINDS = {
    ".json": "json", ".jsonl": "json", ".ndjson": "json", ".npz": "npz", ".npy": "npy",
    ".csv": "text", ".tsv": "text", ".trc": "text",
    ".txt": "text", ".h5": "hdf5", ".hdf5": "hdf5", ".slp": "hdf5", ".xml": "text", ".yml": "text",
    ".yaml": "text", ".pkl": "pickle", ".pickle": "pickle",
}  # fmt: skip
#: Number of bytes of a text file that recognisers see.
HEAD = 1 << 16


class Content:
    """A file or folder. Attributes of other kinds of content are None, so recognisers need no try.

    Args:
        path: an existing file or folder.

    Attributes:
        path: the file or folder.
        kind: one of the values of `KINDS`, or "folder".
    """

    def __init__(self, path: Path):
        self.path = path
        self.kind = "folder" if path.is_dir() else KINDS.get(path.suffix.lower(), "json")

    @cached_property
    def json(self) -> Any:
        """Parsed JSON (`_stream.load`); None for other files. ValueError if it is damaged."""
        if self.kind != "json":
            return None
        try:
            return _stream.load(self.path)
        except ValueError as error:  # UnicodeDecodeError is a ValueError
            raise ValueError(f"{self.path} is not JSON ({error})") from error

    @cached_property
    def text(self) -> str | None:
        """The first `HEAD` characters of a text file."""
        if self.kind != "text":
            return None
        with open(self.path, encoding="utf-8-sig", errors="replace") as file:
            return file.read(HEAD)

    @cached_property
    def header(self) -> list[str] | None:
        """The fields of the first line of a comma or tab separated text file."""
        if self.text is None or self.path.suffix.lower() not in (".csv", ".tsv"):
            return None
        lines = self.text.splitlines()
        return next(csv.reader(lines[:1], delimiter=self.delimiter), []) if lines else []

    @property
    def delimiter(self) -> str:
        """The separator of a text file's fields."""
        line = (self.text or "").split("\n", 1)[0]
        return max(",;\t", key=line.count)

    @cached_property
    def arrays(self) -> list[str] | None:
        """Names of the members of an .npz."""
        if self.kind != "npz":
            return None
        check_archive(self.path)
        try:
            with zipfile.ZipFile(self.path) as file:
                members = file.infolist()
        except zipfile.BadZipFile as error:
            raise ValueError(f"{self.path} is not an .npz ({error})") from error
        return [member.filename.removesuffix(".npy") for member in members]

    @cached_property
    def files(self) -> list[Path] | None:
        """The keypoint files of a folder, in the order of the numbers in their names.

        All have one suffix, the first of `KINDS` that occurs in the folder.
        """
        if self.kind != "folder":
            return None
        found = [p for p in self.path.iterdir() if p.is_file() and not p.name.startswith(".")]
        for suffix in KINDS:
            if chosen := [p for p in found if p.suffix.lower() == suffix]:
                return sorted(chosen, key=natural)
        return []

    def describe(self) -> str:
        """Return what the content is, for error messages."""
        if self.kind == "json":
            return describe(self.json)
        if self.kind == "npz":
            return f"an .npz with {', '.join(self.arrays or []) or 'nothing'}"
        if self.kind == "text" and self.text is not None:
            return f"text that begins with {self.text[:40]!r}"
        return f"a {self.kind} file"

    def rows(self) -> Iterator[list[str]]:
        """Iterate over the lines of a separated text file, each as its fields."""
        with open(self.path, encoding="utf-8-sig", errors="replace", newline="") as file:
            yield from csv.reader(file, delimiter=self.delimiter)


def describe(content: Any) -> str:
    """Return in a few words what a JSON value is."""
    if isinstance(content, dict):
        return f"an object with {', '.join(list(content)[:8]) or 'nothing'}"
    if isinstance(content, Table):
        if not len(content):
            return "an empty list"
        return f"a list of objects with {', '.join(content.keys[:8]) or 'nothing'}"
    if isinstance(content, (list, np.ndarray)):
        return f"a list of {type(content[0]).__name__}" if len(content) else "an empty list"
    return f"a {type(content).__name__}"


def natural(path: Path) -> list:
    """Return a sort key by which frame_2 precedes frame_10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]
