"""Motion capture in BVH files.

Source: Lander, "Working with motion capture file formats" (Game Developer, 1998).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from camerapose.data.readers.motion import Motion, parse_floats, read_lines, rotate, rotation


class _Joint(NamedTuple):
    name: str
    parent: str | None
    offset: np.ndarray
    channels: tuple[str, ...]


_CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


def read_bvh(path: Path, step: int = 1) -> Motion:
    """Read every n-th frame of a BVH file. End sites are named after their joint, NAME_end.

    Raises:
        ValueError: the file has unexpected content; the message names the line.
    """
    lines = read_lines(path)
    joints, at = _hierarchy(path, lines)
    frames, seconds, at = _motion_header(path, lines, at)
    width = sum(len(joint.channels) for joint in joints)
    values = _values(path, lines, at, frames, width)[::step]
    return Motion(_positions(joints, values), {j.name: j.parent for j in joints}, seconds)


def _hierarchy(path: Path, lines: list) -> tuple[list[_Joint], int]:
    """Return the joints, parents before children, and the index of the line MOTION."""
    if not lines or lines[0][1] != ["HIERARCHY"]:
        raise ValueError(f"{path}, line 1: expected HIERARCHY")
    joints: list[_Joint] = []
    open_joints: list[int] = []  # indices of the joints whose braces are open
    name: str | None = None  # of the joint whose brace opens next
    for at, (number, words) in enumerate(lines[1:], 1):
        key, where = words[0], f"{path}, line {number}"
        if key == "MOTION":
            if open_joints or not joints:
                raise ValueError(f"{where}: MOTION begins before the hierarchy ends")
            return joints, at
        if key in ("ROOT", "JOINT") and len(words) > 1:
            name = "_".join(words[1:])
            if (key == "ROOT") != (not open_joints):
                raise ValueError(f"{where}: {' '.join(words)} is misplaced")
        elif words == ["End", "Site"] and open_joints:
            name = f"{joints[open_joints[-1]].name}_end"
        elif key == "{" and name is not None:
            while any(joint.name == name for joint in joints):
                name += "_"  # a hand may have several end sites
            parent = joints[open_joints[-1]].name if open_joints else None
            open_joints.append(len(joints))
            joints.append(_Joint(name, parent, np.zeros(3), ()))
            name = None
        elif key == "}" and open_joints:
            open_joints.pop()
        elif key == "OFFSET" and open_joints and len(words) == 4:
            offset = parse_floats(words[1:], where)
            joints[open_joints[-1]] = joints[open_joints[-1]]._replace(offset=offset)
        elif key == "CHANNELS" and open_joints and words[1:2] == [str(len(words) - 2)]:
            channels = tuple(words[2:])
            if set(channels) - _CHANNELS or len(set(channels)) < len(channels):
                raise ValueError(f"{where}: unknown channels {', '.join(channels)}")
            joints[open_joints[-1]] = joints[open_joints[-1]]._replace(channels=channels)
        else:
            raise ValueError(f"{where}: unexpected {' '.join(words)[:60]!r}")
    raise ValueError(f"{path} ends before MOTION")


def _motion_header(path: Path, lines: list, at: int) -> tuple[int, float, int]:
    """Return the number of frames, the time between them, and the index of their first line."""
    if len(lines) < at + 3 or lines[at + 1][1][0] != "Frames:":
        raise ValueError(f"{path}, line {lines[at][0]}: expected Frames: and Frame Time:")
    number, words = lines[at + 1]
    try:
        frames = int(words[1])
        seconds = float(lines[at + 2][1][2])
        if frames < 1 or lines[at + 2][1][:2] != ["Frame", "Time:"] or not seconds > 0:
            raise ValueError
    except (IndexError, ValueError):
        raise ValueError(
            f"{path}, line {number}: expected positive numbers in Frames: and Frame Time:"
        ) from None
    return frames, seconds, at + 3


def _values(path: Path, lines: list, at: int, frames: int, width: int) -> np.ndarray:
    rows = lines[at:]
    if len(rows) != frames:
        raise ValueError(f"{path} declares {frames} frames and has {len(rows)}")
    values = np.empty((frames, width))
    for i, (number, words) in enumerate(rows):
        if len(words) != width:
            raise ValueError(
                f"{path}, line {number}: got {len(words)} numbers, expected {width} (channels of "
                "all joints)"
            )
        values[i] = parse_floats(words, f"{path}, line {number}")
    return values


def _positions(joints: list[_Joint], values: np.ndarray) -> dict[str, np.ndarray]:
    """Return world positions: each joint is rotated by its channels, in order, in its parent.

    A position channel replaces that coordinate of the offset.
    """
    n, start = len(values), 0
    positions: dict[str, np.ndarray] = {}
    rotations: dict[str, np.ndarray] = {}
    for joint in joints:
        offset = np.tile(joint.offset, (n, 1))
        own = np.tile(np.eye(3), (n, 1, 1))
        for channel in joint.channels:
            column, start = values[:, start], start + 1
            if channel.endswith("position"):
                offset[:, "XYZ".index(channel[0])] = column
            else:
                own = own @ rotation(channel[0], column)
        if joint.parent is None:
            positions[joint.name], rotations[joint.name] = offset, own
        else:
            parent = rotations[joint.parent]
            positions[joint.name] = positions[joint.parent] + rotate(parent, offset)
            rotations[joint.name] = parent @ own
    return positions
