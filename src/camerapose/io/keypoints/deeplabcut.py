"""DeepLabCut: CSV with the header rows scorer, individuals, bodyparts and coords."""

import csv
from itertools import islice

import numpy as np

from camerapose.io.keypoints import _tables
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source

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
    parts, coords = header["bodyparts"], header["coords"]
    people = header.get("individuals", [""] * len(parts))
    individuals = list(dict.fromkeys(people[first:]))
    joints = list(dict.fromkeys(parts[first:]))
    values = _tables.numbers(lines, len(coords))
    keypoints = np.full((len(individuals), len(values), len(joints), 3), np.nan, np.float32)
    for column in range(first, len(coords)):
        axis = _tables.AXES.get(coords[column])
        if axis is not None and axis < 3:
            person, joint = individuals.index(people[column]), joints.index(parts[column])
            keypoints[person, :, joint, axis] = values[:, column]
    if "likelihood" not in coords:
        keypoints[..., 2] = 1.0
    frame = _frames(lines, first)
    present = np.isfinite(keypoints[..., :2]).any(axis=(2, 3))
    who, when = np.nonzero(present)
    order = np.argsort(when, kind="stable")
    who, when = who[order], when[order]
    return People(
        keypoints[who, when],
        place=lambda i: f"{content.path}, frame {frame[when[i]]}",
        image=["" if str(lines[i][first - 1]).isdecimal() else lines[i][first - 1] for i in when],
        frame=[int(frame[i]) for i in when],
        person=[individuals[i] for i in who] if "individuals" in header else [0] * len(who),
        joints=joints,
        frames=[int(number) for number in frame],
    )


def _frames(lines: list[list[str]], first: int) -> np.ndarray:
    """Return the numbers of the rows; rows of images are counted."""
    names = [row[first - 1] for row in lines]
    if all(name.isdecimal() for name in names):
        return np.array([int(name) for name in names])
    return np.arange(len(names))
