"""DeepLabCut: CSV with the header rows scorer, individuals, bodyparts and coords."""

import csv
from itertools import islice

import numpy as np

from camerapose.io.keypoints import _tables
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source

#: Levels of the columns that are used.
LEVELS = ("individuals", "bodyparts", "coords")
DESCRIPTION = "DeepLabCut CSV with rows scorer, bodyparts, coords"
SOURCES = (
    Source(
        "DeepLabCut", "2.3, 3", "analyze_videos(..., save_as_csv=True)",
        "joints by bodyparts, identities by individuals; names of animals are refused",
    ),
    Source("SLEAP", "1.3", "export of DeepLabCut CSV", "as DeepLabCut"),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether the first fields of the header rows are scorer and bodyparts."""
    if content.text is None or content.path.suffix.lower() != ".csv":
        return False
    first = [line.partition(",")[0].strip('"') for line in content.text.splitlines()[:4]]
    return bool(first) and first[0] == "scorer" and "bodyparts" in first


def read(content: Content) -> People:
    """Read all individuals of all frames; likelihood is the confidence."""
    with open(content.path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header: dict[str, list[str]] = {}
        for row in islice(reader, 4):
            header[row[0]] = row
            if row[0] == "coords":
                break
        lines = [row for row in reader if row]
    if "coords" not in header or "bodyparts" not in header:
        raise ValueError(f"{content.path} has no header row coords; export it with DeepLabCut")
    first = next(i for i, axis in enumerate(header["coords"]) if axis == "x")
    levels = [header.get(name, [""] * len(header["coords"]))[first:] for name in LEVELS]
    values = _tables.numbers(lines, len(header["coords"]))[:, first:]
    columns = list(zip(*levels, strict=True))
    people = individuals(columns, values, _frames(lines, first), str(content.path))
    names = [line[first - 1] for line in lines]
    if not all(name.isdecimal() for name in names):
        table = dict(zip(people.frames or (), names, strict=True))
        people.image = [table[frame] for frame in people.frame]
    return people


def individuals(
    columns: list[tuple[str, ...]], values: np.ndarray, frame: np.ndarray, source: str
) -> People:
    """Return the individuals of all frames.

    Args:
        columns: individual, body part and coordinate of each column.
        values: (frames, columns).
        frame: numbers of the frames.
        source: the file, for error messages.
    """
    names = list(dict.fromkeys(name for name, _, _ in columns))
    joints = list(dict.fromkeys(joint for _, joint, _ in columns))
    keypoints = np.full((len(names), len(values), len(joints), 3), np.nan, np.float32)
    if "likelihood" not in {axis for _, _, axis in columns}:
        keypoints[..., 2] = 1.0
    for column, (name, joint, axis) in enumerate(columns):
        place = _tables.AXES.get(axis)
        if place is not None and place < 3:
            keypoints[names.index(name), :, joints.index(joint), place] = values[:, column]
    present = np.isfinite(keypoints[..., :2]).any(axis=(2, 3))
    when, who = np.nonzero(present.T)
    return People(
        keypoints[who, when],
        place=lambda i: f"{source}, frame {frame[when[i]]}, individual {names[who[i]] or 1}",
        image=[""] * len(who),
        frame=[int(frame[i]) for i in when],
        person=[names[i] for i in who] if names != [""] else [0] * len(who),
        joints=joints,
        frames=[int(number) for number in frame],
    )


def _frames(lines: list[list[str]], first: int) -> np.ndarray:
    """Return the numbers of the rows; rows of images are counted."""
    names = [row[first - 1] for row in lines]
    if all(name.isdecimal() for name in names):
        return np.array([int(name) for name in names])
    return np.arange(len(names))
