"""Joint names in the spellings of other programs: snake_case, camelCase, spaces, abbreviations."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from camerapose.core import joint_formats
from camerapose.core.skeleton import Skeleton

#: A named order needs at least this many joints of arms and legs.
MIN_LIMBS = 6
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_LEFT, _RIGHT = {"l", "left", "lft", "lt", "le"}, {"r", "right", "rgt", "rt", "ri"}
#: What a name without its side can mean, the most common meaning first.
_SIDED: dict[str, tuple[str, ...]] = {
    "shoulder": ("shoulder",), "sho": ("shoulder",), "shld": ("shoulder",), "shldr": ("shoulder",),
    "should": ("shoulder",), "shoul": ("shoulder",), "upperarm": ("shoulder",),
    "elbow": ("elbow",), "elb": ("elbow",), "elbo": ("elbow",), "lowerarm": ("elbow",),
    "forearm": ("elbow",),
    "wrist": ("wrist",), "wri": ("wrist",), "wrs": ("wrist",), "wrst": ("wrist",),
    "hand": ("hand", "wrist"),
    "hip": ("hip",), "thigh": ("hip",), "upleg": ("hip",), "upperleg": ("hip",),
    "knee": ("knee",), "kne": ("knee",), "kn": ("knee",), "leg": ("knee",), "lowerleg": ("knee",),
    "ankle": ("ankle",), "ank": ("ankle",), "ankl": ("ankle",), "foot": ("foot", "ankle"),
    "eye": ("eye",), "ear": ("ear",),
    "eyeinner": ("eye_inner",), "innereye": ("eye_inner",),
    "eyeouter": ("eye_outer",), "outereye": ("eye_outer",),
    "mouth": ("mouth",), "pinky": ("pinky",), "littlefinger": ("pinky",), "pinkyfinger": ("pinky",),
    "index": ("index",), "indexfinger": ("index",), "thumb": ("thumb",),
    "heel": ("heel",), "footindex": ("foot_index",), "toe": ("toe", "big_toe", "foot_index"),
    "toes": ("toe", "big_toe", "foot_index"), "toebase": ("toe", "big_toe", "foot_index"),
    "bigtoe": ("big_toe", "foot_index"), "smalltoe": ("small_toe",), "littletoe": ("small_toe",),
    "clavicle": ("clavicle", "collar"), "collar": ("collar", "clavicle"),
}  # fmt: skip
_MIDLINE: dict[str, tuple[str, ...]] = {
    "nose": ("nose",), "neck": ("thorax", "upper_neck", "neck_nose"),
    "thorax": ("thorax",), "chest": ("thorax", "spine"), "sternum": ("thorax",),
    "upperchest": ("thorax",), "midshoulder": ("thorax",), "shouldercenter": ("thorax",),
    "centershoulder": ("thorax",), "shouldermid": ("thorax",), "shouldercentre": ("thorax",),
    "upperneck": ("upper_neck",), "headbottom": ("upper_neck",),
    "neckbase": ("neck_nose", "thorax"), "neckbottom": ("thorax",),
    "necknose": ("neck_nose",), "jaw": ("neck_nose",), "chin": ("neck_nose",),
    "head": ("head", "head_top"), "forehead": ("head",),
    "headtop": ("head_top", "head"), "tophead": ("head_top", "head"),
    "topofhead": ("head_top", "head"), "topofthehead": ("head_top", "head"),
    "vertex": ("head_top",), "headend": ("head_top",),
    "pelvis": ("pelvis",), "hip": ("pelvis",), "hips": ("pelvis",), "root": ("pelvis",),
    "midhip": ("pelvis",), "hipcenter": ("pelvis",), "centerhip": ("pelvis",),
    "hipmid": ("pelvis",), "hipcentre": ("pelvis",), "sacrum": ("pelvis",),
    "spine": ("spine", "lower_spine"), "belly": ("spine",), "torso": ("spine",),
    "midspine": ("spine",), "abdomen": ("spine",), "spinemid": ("spine",),
    "spine1": ("lower_spine", "spine"), "spine2": ("middle_spine", "spine2"),
    "spine3": ("upper_spine", "spine3"), "spine4": ("spine4",),
}  # fmt: skip
#: Words that other programs add to every name.
_NOISE = {"joint", "marker", "kpt", "keypoint", "point", "body"}


class Order(NamedTuple):
    """How the columns of a file are the joints of a format.

    Attributes:
        skeleton: the format.
        columns: (joints,) column of each joint of the format; -1 if the file lacks it.
        ignored: names in the file that are not in the format.
    """

    skeleton: Skeleton
    columns: np.ndarray
    ignored: tuple[str, ...]


def order(names: Sequence[str], wanted: Skeleton | None = None) -> Order | None:
    """Return the format that covers most of the names, and where its joints are.

    Args:
        names: in the file's spelling and order.
        wanted: the only format to consider.

    Returns:
        None if too few names are known.
    """
    meanings = [meaning(name) for name in names]
    candidates = [wanted] if wanted else list(joint_formats.FORMATS.values())
    best = max((_assigned(meanings, s) for s in candidates), key=lambda pair: pair[0])
    _, skeleton, columns = best
    limbs = {f"{side}_{limb}" for side in ("left", "right") for limb in LIMBS}
    known = sum(columns[skeleton.index(j)] >= 0 for j in skeleton.joints if j in limbs)
    if known < MIN_LIMBS:
        return None
    used = set(columns.tolist())
    ignored = tuple(str(name) for i, name in enumerate(names) if i not in used)
    return Order(skeleton, columns, ignored)


def _assigned(
    meanings: list[tuple[str, ...]], skeleton: Skeleton
) -> tuple[tuple[int, ...], Skeleton, np.ndarray]:
    """Assign columns to the joints of a format; the key ranks formats."""
    columns = np.full(skeleton.n_joints, -1)
    exact = 0
    for preference in range(max(map(len, meanings), default=0)):
        for i, options in enumerate(meanings):
            if preference < len(options) and options[preference] in skeleton.joints:
                joint = skeleton.index(options[preference])
                if columns[joint] < 0 and i not in columns:
                    columns[joint] = i
                    exact += preference == 0
    found = int((columns >= 0).sum())
    in_order = bool((np.diff(columns) > 0).all())
    return (found, exact, found - skeleton.n_joints, int(in_order)), skeleton, columns


def meaning(name: str) -> tuple[str, ...]:
    """Return the joints that a name can mean, the most likely first.

    Examples:
        >>> meaning("RElbow"), meaning("r_elb"), meaning("elbow right"), meaning("elbowR")
        (('right_elbow',), ('right_elbow',), ('right_elbow',), ('right_elbow',))
        >>> meaning("MidHip"), meaning("snout")
        (('pelvis',), ())
    """
    text = str(name).strip()
    words = _words(text)
    side = ""
    rest = []
    for word in words:
        if not side and word in _LEFT | _RIGHT:
            side = "left" if word in _LEFT else "right"
        elif word not in _NOISE:
            rest.append(word)
    part = "".join(rest)
    if not side:
        if part in _MIDLINE:
            return _MIDLINE[part]
        side, part = _attached(part)
    else:
        part = part if part in _SIDED else part.rstrip("0123456789")
    if not side or part not in _SIDED:
        return (text,) if text in _ALL_JOINTS else ()
    return tuple(f"{side}_{joint}" for joint in _SIDED[part])


_ALL_JOINTS = {joint for skeleton in joint_formats.FORMATS.values() for joint in skeleton.joints}


def _words(text: str) -> list[str]:
    """Split at separators, digits' ends and capital letters; all in lower case."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    text = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", text)
    return re.findall(r"[a-z0-9]+", text.lower())


def _attached(part: str) -> tuple[str, str]:
    """Split a side that is written without a separator: `lshoulder`, `shoulderright`, `kneel`."""
    for side, spellings in (("left", ("left", "lft", "l")), ("right", ("right", "rgt", "r"))):
        for spelling in spellings:
            if part.startswith(spelling) and part.removeprefix(spelling) in _SIDED:
                return side, part.removeprefix(spelling)
            if part.endswith(spelling) and part.removesuffix(spelling) in _SIDED:
                return side, part.removesuffix(spelling)
    return "", part
