"""Motion capture in BVH, and in Acclaim's ASF and AMC: text in, joints in the world out.

Sources: Lander, "Working with motion capture file formats" (Game Developer, 1998); the ASF/AMC
description of Acclaim Entertainment (1994) as kept by the CMU motion capture database. Units and
axes are the file's own.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Motion(NamedTuple):
    """Joints by name in the world, the file's unit; each (frames, 3). And their parents."""

    joints: dict[str, np.ndarray]
    parents: dict[str, str | None]
    seconds: float | None  # from frame to frame, where the file says it


class _Joint(NamedTuple):
    name: str
    parent: str | None
    offset: np.ndarray
    channels: tuple[str, ...]


_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


def rotation(axis: str, degrees: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) about the axis X, Y or Z by angles (n,)."""
    a, k = np.radians(degrees), "XYZ".index(axis)
    i, j = (k + 1) % 3, (k + 2) % 3
    matrix = np.zeros((len(a), 3, 3))
    matrix[:, k, k] = 1
    matrix[:, i, i] = matrix[:, j, j] = np.cos(a)
    matrix[:, j, i], matrix[:, i, j] = np.sin(a), -np.sin(a)
    return matrix


# --- BVH ----------------------------------------------------------------------------------------


def read_bvh(path: Path, step: int = 1) -> Motion:
    """Every so-manyth frame of a BVH file. End sites are named after their joint, NAME_end.

    Raises:
        ValueError: it is not what it should be; the message names the line.
    """
    lines = _lines(path)
    tree, at = _hierarchy(path, lines)
    frames, seconds, at = _motion_header(path, lines, at)
    width = sum(len(joint.channels) for joint in tree)
    values = _numbers(path, lines, at, frames, width)[::step]
    return Motion(_bvh_joints(tree, values), {j.name: j.parent for j in tree}, seconds)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Words of each line that has some, with its number."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    return [(i, words) for i, line in enumerate(text.splitlines(), 1) if (words := line.split())]


def _hierarchy(path: Path, lines: list) -> tuple[list[_Joint], int]:
    """The joints, parents before children, and where MOTION stands."""
    if not lines or lines[0][1] != ["HIERARCHY"]:
        raise ValueError(f"{path}, line 1: it should say HIERARCHY, as BVH files do")
    joints: list[_Joint] = []
    open_joints: list[int] = []  # indices of the joints whose braces are open
    announced: str | None = None
    for at, (number, words) in enumerate(lines[1:], 1):
        key, where = words[0], f"{path}, line {number}"
        if key == "MOTION":
            if open_joints or not joints:
                raise ValueError(f"{where}: MOTION begins before the hierarchy ends")
            return joints, at
        if key in ("ROOT", "JOINT") and len(words) > 1:
            announced = "_".join(words[1:])
            if (key == "ROOT") != (not open_joints):
                raise ValueError(f"{where}: {' '.join(words)} can't stand here")
        elif words == ["End", "Site"] and open_joints:
            announced = f"{joints[open_joints[-1]].name}_end"
        elif key == "{" and announced is not None:
            while any(joint.name == announced for joint in joints):
                announced += "_"  # a hand may have several end sites
            parent = joints[open_joints[-1]].name if open_joints else None
            open_joints.append(len(joints))
            joints.append(_Joint(announced, parent, np.zeros(3), ()))
            announced = None
        elif key == "}" and open_joints:
            open_joints.pop()
        elif key == "OFFSET" and open_joints and len(words) == 4:
            offset = _floats(words[1:], where)
            joints[open_joints[-1]] = joints[open_joints[-1]]._replace(offset=offset)
        elif key == "CHANNELS" and open_joints and words[1:2] == [str(len(words) - 2)]:
            channels = tuple(words[2:])
            if set(channels) - _CHANNELS or len(set(channels)) < len(channels):
                raise ValueError(f"{where}: unknown channels {', '.join(channels)}")
            joints[open_joints[-1]] = joints[open_joints[-1]]._replace(channels=channels)
        else:
            raise ValueError(f"{where}: can't make sense of {' '.join(words)[:60]!r}")
    raise ValueError(f"{path} ends before MOTION")


def _motion_header(path: Path, lines: list, at: int) -> tuple[int, float, int]:
    """Number of frames, seconds from one to the next, and where they begin."""
    if len(lines) < at + 3 or lines[at + 1][1][0] != "Frames:":
        raise ValueError(f"{path}, line {lines[at][0]}: Frames: and Frame Time: should follow")
    number, words = lines[at + 1]
    try:
        frames = int(words[1])
        seconds = float(lines[at + 2][1][2])
        if frames < 1 or lines[at + 2][1][:2] != ["Frame", "Time:"] or not seconds > 0:
            raise ValueError
    except (IndexError, ValueError):
        raise ValueError(
            f"{path}, line {number}: Frames: and Frame Time: should say positive numbers"
        ) from None
    return frames, seconds, at + 3


def _numbers(path: Path, lines: list, at: int, frames: int, width: int) -> np.ndarray:
    rows = lines[at:]
    if len(rows) != frames:
        raise ValueError(f"{path} says {frames} frames and has {len(rows)}")
    values = np.empty((frames, width))
    for i, (number, words) in enumerate(rows):
        if len(words) != width:
            raise ValueError(
                f"{path}, line {number}: {len(words)} numbers; the channels of all joints are "
                f"{width}"
            )
        values[i] = _floats(words, f"{path}, line {number}")
    return values


def _floats(words: list[str], where: str) -> np.ndarray:
    try:
        values = np.array(words, float)
    except ValueError:
        raise ValueError(f"{where}: {' '.join(words)[:60]!r} should be numbers") from None
    if not (np.abs(values) < 1e7).all():
        raise ValueError(f"{where}: there are numbers that are not finite, or huge")
    return values


def _bvh_joints(tree: list[_Joint], values: np.ndarray) -> dict[str, np.ndarray]:
    """Where the joints stand: each turned by its channels in their order, within its parent.

    A position channel takes the place of that coordinate of the offset.
    """
    n, start = len(values), 0
    places: dict[str, np.ndarray] = {}
    turns: dict[str, np.ndarray] = {}
    for joint in tree:
        offset = np.tile(joint.offset, (n, 1))
        turn = np.tile(np.eye(3), (n, 1, 1))
        for channel in joint.channels:
            column, start = values[:, start], start + 1
            if channel.endswith("position"):
                offset[:, "XYZ".index(channel[0])] = column
            else:
                turn = turn @ rotation(channel[0], column)
        if joint.parent is None:
            places[joint.name], turns[joint.name] = offset, turn
        else:
            above = turns[joint.parent]
            places[joint.name] = places[joint.parent] + _turned(above, offset)
            turns[joint.name] = above @ turn
    return places


def _turned(turn: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (turn @ vectors[:, :, None])[:, :, 0]


# --- ASF and AMC --------------------------------------------------------------------------------


class _Bone(NamedTuple):
    """A bone of an .asf: `vector` from its start to its end, in the world at rest."""

    vector: np.ndarray
    axis: np.ndarray  # (3, 3): its own axes at rest
    dof: tuple[str, ...]


class Skeleton(NamedTuple):
    """What an .asf holds; the root is a bone without length."""

    bones: dict[str, _Bone]
    parents: dict[str, str | None]
    length: float  # the file's numbers are in inches once divided by this
    radians: bool


def read_asf(path: Path) -> Skeleton:
    """The skeleton of an .asf file.

    Raises:
        ValueError: it is not what it should be; the message names the line.
    """
    sections = _sections(path)
    units = {words[0]: words[1] for _, words in sections.get("units", []) if len(words) == 2}
    radians = units.get("angle", "deg").startswith("rad")
    try:
        length = float(units.get("length", 1.0))
    except ValueError:
        length = 0.0
    if not 0 < length < 1e6:
        raise ValueError(f"{path}: the length in :units should be a positive number")
    root = {words[0].lower(): words[1:] for _, words in sections["root"]}
    if not {"order", "axis", "orientation"} <= set(root):
        raise ValueError(f"{path}: :root should have order, axis and orientation")
    orientation = _floats(root["orientation"], f"{path}, :root")
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
    for number, words in _lines(path):
        if words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            name = words[0][1:].lower()
            sections[name] = []
        elif name:
            sections[name].append((number, words))
    lacks = {"root", "bonedata", "hierarchy"} - set(sections)
    if lacks:
        raise ValueError(f"{path} has no {', '.join(sorted(lacks))}, as .asf files do")
    return sections


def _bones(path: Path, lines: list, radians: bool) -> dict[str, _Bone]:
    bones: dict[str, _Bone] = {}
    now: dict[str, list[str]] = {}
    for number, words in lines:
        where = f"{path}, line {number}"
        if words[0] == "begin":
            now = {}
        elif words[0] == "end":
            if not {"name", "direction", "length", "axis"} <= set(now) or not now["name"]:
                raise ValueError(f"{where}: a bone should have name, direction, length and axis")
            if now["name"][0] in bones:
                raise ValueError(f"{where}: there are two bones {now['name'][0]!r}")
            direction = _floats(now["direction"], where)
            size = _floats(now["length"], where)
            if direction.shape != (3,) or size.shape != (1,) or len(now["axis"]) != 4:
                raise ValueError(
                    f"{where}: direction should have three numbers, length one, axis three and "
                    "their order"
                )
            axis = _axis(_floats(now["axis"][:3], where), now["axis"][3:], radians, where)
            dof = _freedoms(now.get("dof", []), where)
            bones[now["name"][0]] = _Bone(direction * size, axis, dof)
            now = {}
        else:
            now[words[0].lower()] = words[1:]
    if not bones:
        raise ValueError(f"{path}: :bonedata holds no bone")
    return bones


def _freedoms(words: list[str], where: str) -> tuple[str, ...]:
    """Degrees of freedom: moves and turns along the axes, and a change of length."""
    freedoms = tuple(word.lower() for word in words)
    unknown = set(freedoms) - {"tx", "ty", "tz", "rx", "ry", "rz", "l"}
    if unknown:
        raise ValueError(f"{where}: {min(unknown)!r:.40} is none of tx, ty, tz, rx, ry, rz, l")
    return freedoms


def _axis(angles: np.ndarray, order: list[str], radians: bool, where: str) -> np.ndarray:
    """The turn about the world's axes one after the other, as `XYZ` says."""
    if angles.shape != (3,) or len(order) != 1 or sorted(order[0].upper()) != ["X", "Y", "Z"]:
        raise ValueError(f"{where}: axis should be three numbers and their order, such as XYZ")
    angles = np.degrees(angles) if radians else angles
    turn = np.eye(3)
    for letter, angle in zip(order[0].upper(), angles, strict=True):
        turn = rotation(letter, np.array([angle]))[0] @ turn
    return turn


def _tree(path: Path, lines: list, bones: dict[str, _Bone]) -> dict[str, str | None]:
    """Parents, in an order in which they come before their children."""
    parents: dict[str, str | None] = {"root": None}
    for number, words in lines:
        if words[0] in ("begin", "end"):
            continue
        unknown = [word for word in words if word not in bones]
        if unknown or words[0] not in parents or any(word in parents for word in words[1:]):
            raise ValueError(
                f"{path}, line {number}: {' '.join(words)[:60]!r} should be a bone that was named "
                "before, and its children, each once"
            )
        parents |= dict.fromkeys(words[1:], words[0])
    return parents


def read_amc(path: Path, skeleton: Skeleton, step: int = 1) -> Motion:
    """Every so-manyth frame of an .amc file: where each bone ends, in the skeleton's unit.

    Raises:
        ValueError: it is not what it should be; the message names the frame.
    """
    frames = _amc_frames(path, skeleton, step)
    n = len(frames["root"])
    places: dict[str, np.ndarray] = {}
    turns: dict[str, np.ndarray] = {}
    for name, parent in skeleton.parents.items():
        bone = skeleton.bones[name]
        turn, move = np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
        for dof, column in zip(bone.dof, frames[name].T, strict=True):
            if dof[0] == "t":
                move[:, "xyz".index(dof[1])] = column
            elif dof[0] == "r":  # about the world's axes, one after the other
                angle = np.degrees(column) if skeleton.radians else column
                turn = rotation(dof[1].upper(), angle) @ turn
        turn = bone.axis @ turn @ bone.axis.T
        if parent is None:
            places[name], turns[name] = move, turn
        else:
            turns[name] = turns[parent] @ turn
            vector = np.tile(bone.vector, (n, 1))
            places[name] = places[parent] + _turned(turns[name], vector)
    return Motion(places, dict(skeleton.parents), None)


def _amc_frames(path: Path, skeleton: Skeleton, step: int) -> dict[str, np.ndarray]:
    """Numbers of each bone (frames, its degrees of freedom)."""
    wanted = {name: len(skeleton.bones[name].dof) for name in skeleton.parents}
    rows: dict[str, list] = {name: [] for name in wanted}
    count, taken, where = 0, True, str(path)
    for number, words in _lines(path):
        if words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            _all_there(rows, wanted, where)
            taken, where = count % step == 0, f"{path}, frame {words[0]}"
            count += 1
        elif not count:
            raise ValueError(f"{path}, line {number}: a frame's number should come first")
        elif taken:
            if wanted.get(words[0]) != len(words) - 1:
                known = wanted.get(words[0])
                raise ValueError(
                    f"{where}, line {number}: {words[0]} with {len(words) - 1} numbers; "
                    + ("the .asf has no such bone" if known is None else f"it has {known}")
                )
            rows[words[0]].append(_floats(words[1:], f"{where}, line {number}"))
    if not count:
        raise ValueError(f"{path} holds no frame")
    _all_there(rows, wanted, where)
    n = len(rows["root"])
    return {
        name: np.array(rows[name]).reshape(n, size) if size else np.zeros((n, 0))
        for name, size in wanted.items()
    }


def _all_there(rows: dict[str, list], wanted: dict[str, int], where: Any) -> None:
    """Every bone that moves once in every frame until now."""
    n = len(rows["root"])
    lacks = [name for name, size in wanted.items() if size and len(rows[name]) != n]
    if lacks:
        raise ValueError(f"{where}: it lacks {', '.join(lacks)}, or has it twice")
