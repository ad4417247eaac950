"""Motion capture in Acclaim's ASF (skeleton) and AMC (motion) files.

Source: the ASF/AMC description of Acclaim Entertainment (1994), as kept by the CMU motion capture
database.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.data.readers.motion import Motion, parse_floats, read_lines, rotate, rotation


class _Bone(NamedTuple):
    """A bone: `vector` from its start to its end, in the rest pose, world axes."""

    vector: np.ndarray
    axis: np.ndarray  # its axes in the rest pose (3, 3)
    dof: tuple[str, ...]


class Skeleton(NamedTuple):
    """Content of an .asf file; the root is a bone without length."""

    bones: dict[str, _Bone]
    parents: dict[str, str | None]
    length: float  # the file's lengths divided by this are inches
    radians: bool


def read_asf(path: Path) -> Skeleton:
    """Read the skeleton of an .asf file.

    Raises:
        ValueError: the file has unexpected content; the message names the line.
    """
    sections = _sections(path)
    units = {words[0]: words[1] for _, words in sections.get("units", []) if len(words) == 2}
    radians = units.get("angle", "deg").startswith("rad")
    try:
        length = float(units.get("length", 1.0))
    except ValueError:
        length = 0.0
    if not 0 < length < 1e6:
        raise ValueError(f"{path}: expected a positive length in :units")
    root = {words[0].lower(): words[1:] for _, words in sections["root"]}
    if not {"order", "axis", "orientation"} <= set(root):
        raise ValueError(f"{path}: expected order, axis and orientation in :root")
    orientation = parse_floats(root["orientation"], f"{path}, :root")
    bones = {
        "root": _Bone(
            np.zeros(3),
            _axis(orientation, root["axis"], radians, f"{path}, :root"),
            _freedoms(root["order"], f"{path}, :root"),
        )
    }
    bones |= _bones(path, sections["bonedata"], radians)
    return Skeleton(bones, _tree(path, sections["hierarchy"], bones), length, radians)


def _sections(path: Path) -> dict[str, list]:
    sections: dict[str, list] = {}
    name = ""
    for number, words in read_lines(path):
        if words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            name = words[0][1:].lower()
            sections[name] = []
        elif name:
            sections[name].append((number, words))
    missing = {"root", "bonedata", "hierarchy"} - set(sections)
    if missing:
        raise ValueError(f"{path} has no {', '.join(sorted(missing))}")
    return sections


def _bones(path: Path, lines: list, radians: bool) -> dict[str, _Bone]:
    bones: dict[str, _Bone] = {}
    entry: dict[str, list[str]] = {}
    for number, words in lines:
        where = f"{path}, line {number}"
        if words[0] == "begin":
            entry = {}
        elif words[0] == "end":
            if not {"name", "direction", "length", "axis"} <= set(entry) or not entry["name"]:
                raise ValueError(f"{where}: expected name, direction, length and axis of the bone")
            if entry["name"][0] in bones:
                raise ValueError(f"{where}: duplicate bone {entry['name'][0]!r}")
            direction = parse_floats(entry["direction"], where)
            size = parse_floats(entry["length"], where)
            if direction.shape != (3,) or size.shape != (1,) or len(entry["axis"]) != 4:
                raise ValueError(
                    f"{where}: expected three numbers in direction, one in length, three and their "
                    "order in axis"
                )
            axis = _axis(parse_floats(entry["axis"][:3], where), entry["axis"][3:], radians, where)
            dof = _freedoms(entry.get("dof", []), where)
            bones[entry["name"][0]] = _Bone(direction * size, axis, dof)
            entry = {}
        else:
            entry[words[0].lower()] = words[1:]
    if not bones:
        raise ValueError(f"{path}: :bonedata has no bone")
    return bones


def _freedoms(words: list[str], where: str) -> tuple[str, ...]:
    """Return degrees of freedom: translations, rotations, and a change of length."""
    freedoms = tuple(word.lower() for word in words)
    unknown = set(freedoms) - {"tx", "ty", "tz", "rx", "ry", "rz", "l"}
    if unknown:
        raise ValueError(f"{where}: got {min(unknown)!r:.40}, expected tx, ty, tz, rx, ry, rz or l")
    return freedoms


def _axis(angles: np.ndarray, order: list[str], radians: bool, where: str) -> np.ndarray:
    """Return the rotation about the world's axes in the given order, such as XYZ."""
    if angles.shape != (3,) or len(order) != 1 or sorted(order[0].upper()) != ["X", "Y", "Z"]:
        raise ValueError(f"{where}: expected three numbers and their order in axis, such as XYZ")
    angles = np.degrees(angles) if radians else angles
    result = np.eye(3)
    for letter, angle in zip(order[0].upper(), angles, strict=True):
        result = rotation(letter, np.array([angle]))[0] @ result
    return result


def _tree(path: Path, lines: list, bones: dict[str, _Bone]) -> dict[str, str | None]:
    """Return the parent of each bone, parents before children."""
    parents: dict[str, str | None] = {"root": None}
    for number, words in lines:
        if words[0] in ("begin", "end"):
            continue
        unknown = [word for word in words if word not in bones]
        if unknown or words[0] not in parents or any(word in parents for word in words[1:]):
            raise ValueError(
                f"{path}, line {number}: got {' '.join(words)[:60]!r}, expected a bone defined "
                "before and its children, each once"
            )
        parents |= dict.fromkeys(words[1:], words[0])
    return parents


def read_amc(path: Path, skeleton: Skeleton, step: int = 1) -> Motion:
    """Read every n-th frame of an .amc file: the end of each bone, in the skeleton's unit.

    Raises:
        ValueError: the file has unexpected content; the message names the frame.
    """
    frames = _amc_frames(path, skeleton, step)
    n = len(frames["root"])
    positions: dict[str, np.ndarray] = {}
    rotations: dict[str, np.ndarray] = {}
    for name, parent in skeleton.parents.items():
        bone = skeleton.bones[name]
        own, translation = np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
        for dof, column in zip(bone.dof, frames[name].T, strict=True):
            if dof[0] == "t":
                translation[:, "xyz".index(dof[1])] = column
            elif dof[0] == "r":  # about the world's axes, in order
                angle = np.degrees(column) if skeleton.radians else column
                own = rotation(dof[1].upper(), angle) @ own
        own = bone.axis @ own @ bone.axis.T
        if parent is None:
            positions[name], rotations[name] = translation, own
        else:
            rotations[name] = rotations[parent] @ own
            vector = np.tile(bone.vector, (n, 1))
            positions[name] = positions[parent] + rotate(rotations[name], vector)
    return Motion(positions, dict(skeleton.parents), None)


def _amc_frames(path: Path, skeleton: Skeleton, step: int) -> dict[str, np.ndarray]:
    """Return the values of each bone (frames, its degrees of freedom)."""
    wanted = {name: len(skeleton.bones[name].dof) for name in skeleton.parents}
    rows: dict[str, list] = {name: [] for name in wanted}
    count, is_kept, where = 0, True, str(path)
    for number, words in read_lines(path):
        if words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            _check_complete(rows, wanted, where)
            is_kept, where = count % step == 0, f"{path}, frame {words[0]}"
            count += 1
        elif not count:
            raise ValueError(f"{path}, line {number}: expected the number of a frame first")
        elif is_kept:
            if wanted.get(words[0]) != len(words) - 1:
                known = wanted.get(words[0])
                raise ValueError(
                    f"{where}, line {number}: got {words[0]} with {len(words) - 1} numbers, "
                    + ("a bone unknown in the .asf" if known is None else f"expected {known}")
                )
            rows[words[0]].append(parse_floats(words[1:], f"{where}, line {number}"))
    if not count:
        raise ValueError(f"{path} has no frame")
    _check_complete(rows, wanted, where)
    n = len(rows["root"])
    return {
        name: np.array(rows[name]).reshape(n, size) if size else np.zeros((n, 0))
        for name, size in wanted.items()
    }


def _check_complete(rows: dict[str, list], wanted: dict[str, int], where: Any) -> None:
    """Raise ValueError unless every moving bone occurs once in every frame so far."""
    n = len(rows["root"])
    wrong = [name for name, size in wanted.items() if size and len(rows[name]) != n]
    if wrong:
        raise ValueError(f"{where}: {', '.join(wrong)} missing or duplicate")
