"""Joint names, the named joint formats of the field, and conversion between them by name.

No joint number stands anywhere else in the package: networks, losses and pictures ask a
`Skeleton` for its bones, its mirror image and its body parts.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from array_api_compat import array_namespace
from jaxtyping import Float

#: Share of the confidence of its sources that a joint made from other joints keeps.
MADE_CONFIDENCE = 0.5

#: How to make a joint that a format lacks: the first recipe whose joints can be had is used.
#: Weights sum to one. Halves are symmetric, so that mirroring and conversion commute.
#: The spine's share of the way from pelvis to thorax is that of Human3.6M's bodies.
#: Human3.6M's `head` is inside the skull: a little above the ears, below the head's top. Its
#: shares of MPII's head top and upper neck are those that fall nearest to it in its own images
#: (median 4.5 pixels from where Stacked Hourglass finds them; the head top itself: 23). Where
#: there is nothing above the joint at which the head turns, it is taken to be as far above that
#: joint as that is above the thorax: 11.5 and 11.3 cm in Human3.6M.
RECIPES: dict[str, tuple[dict[str, float], ...]] = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5},),
    "thorax": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "spine": ({"pelvis": 0.524, "thorax": 0.476},),
    "neck_nose": ({"thorax": 0.5, "head_top": 0.5}, {"thorax": 0.5, "head": 0.5}),
    "head": (
        {"head_top": 0.6, "upper_neck": 0.4},
        {"head_top": 0.7, "thorax": 0.3},
        {"left_ear": 0.6, "right_ear": 0.6, "thorax": -0.2},
        {"neck_nose": 2.0, "thorax": -1.0},
        {"nose": 1.0},
    ),
    "head_top": ({"head": 1.0},),
    "upper_neck": ({"thorax": 0.5, "head": 0.5},),
    "nose": ({"neck_nose": 1.0},),
}

#: Bones (named by their outer joint) of the five parts that the discriminators look at.
#: Source: PoseAug (Gong et al., CVPR 2021), part-aware kinematic chain space.
_PARTS = {
    "torso": (
        "right_hip", "left_hip", "spine", "thorax", "neck_nose", "head",
        "left_shoulder", "right_shoulder",
    ),
    "right_leg": ("right_hip", "right_knee", "right_ankle", "left_hip", "spine"),
    "left_leg": ("left_hip", "left_knee", "left_ankle", "right_hip", "spine"),
    "left_arm": ("thorax", "left_shoulder", "left_elbow", "left_wrist"),
    "right_arm": ("thorax", "right_shoulder", "right_elbow", "right_wrist"),
}  # fmt: skip


@dataclass(frozen=True)
class Skeleton:
    """A joint format: names in order, and each joint's parent (None for the root).

    Attributes:
        name: of the format.
        joints: their names; those of the left begin with `left_`, and each has its `right_`.
        parents: one a joint.
        made: how joints that this format lacks are made of those that it has, tried before
            `RECIPES`: pairs of a joint and its (joint, weight) pairs, weights summing to one.

    Raises:
        ValueError: it is no tree, or left and right differ.

    Examples:
        >>> H36M_16.n_joints, H36M_16.root
        (16, 'pelvis')
        >>> H36M_16.joints[H36M_16.mirror[H36M_16.index("left_knee")]]
        'right_knee'
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[str | None, ...]
    made: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()

    def __post_init__(self) -> None:
        if len(self.joints) != len(self.parents):
            raise ValueError(
                f"skeleton {self.name!r} has {len(self.joints)} joints and "
                f"{len(self.parents)} parents; give each joint one parent (None for the root)"
            )
        if len(set(self.joints)) != len(self.joints):
            raise ValueError(f"skeleton {self.name!r} names a joint twice: {self.joints}")
        unknown = {p for p in self.parents if p is not None} - set(self.joints)
        if unknown or self.parents.count(None) != 1:
            raise ValueError(
                f"skeleton {self.name!r} needs one root (parent None) and parents among its own "
                f"joints; unknown parents: {sorted(unknown)}"
            )
        self._check_tree()
        self._check_sides()

    def _check_tree(self) -> None:
        parent = dict(zip(self.joints, self.parents, strict=True))
        for joint in self.joints:
            path = [joint]
            while (above := parent[path[-1]]) is not None:
                if above in path:
                    raise ValueError(
                        f"skeleton {self.name!r}: the parents of {joint!r} go round in a circle "
                        f"({' -> '.join([*path, above])}) and never reach the root"
                    )
                path.append(above)

    def _check_sides(self) -> None:
        """Mirroring needs every joint of one side, and every recipe, on the other side too."""
        for joint in self.joints:
            if _swap_sides(joint) not in self.joints:
                raise ValueError(
                    f"skeleton {self.name!r} has {joint!r} but no {_swap_sides(joint)!r}; "
                    "poses are mirrored, so give both sides or neither"
                )
        made = {joint: dict(weights) for joint, weights in self.made}
        for joint, weights in made.items():
            unknown = sorted(set(weights) - set(self.joints))
            if joint in self.joints or unknown or abs(sum(weights.values()) - 1) > 1e-6:
                raise ValueError(
                    f"skeleton {self.name!r}: {joint!r} can't be made of {weights}; give weights "
                    "that sum to 1 of joints that it has, for a joint that it lacks"
                    + (f" (unknown: {', '.join(unknown)})" if unknown else "")
                )
            if made.get(_swap_sides(joint)) != {_swap_sides(j): w for j, w in weights.items()}:
                raise ValueError(
                    f"skeleton {self.name!r}: {joint!r} is made of {weights}, but its mirror image "
                    f"{_swap_sides(joint)!r} is not made of the same joints on the other side"
                )

    @property
    def definition(self) -> str:
        """What `get` makes this format of again: its name or, of one's own, a TOML text."""
        if FORMATS.get(self.name) == self:
            return self.name
        tree = zip(self.joints, self.parents, strict=True)
        joints = [f"{joint}:{parent}" if parent else joint for joint, parent in tree]
        lines = [f"name = {json.dumps(self.name)}", f"joints = {json.dumps(joints)}"]
        for joint, weights in self.made:
            parts = ", ".join(f"{name} = {float(weight)!r}" for name, weight in weights)
            lines.append(f"made.{joint} = {{ {parts} }}")
        return "\n".join(lines) + "\n"

    @property
    def n_joints(self) -> int:
        return len(self.joints)

    @property
    def root_index(self) -> int:
        return self.parents.index(None)

    @property
    def root(self) -> str:
        return self.joints[self.root_index]

    def index(self, joint: str) -> int:
        """The place of a joint in this format; ValueError lists the names if there is none."""
        if joint not in self.joints:
            raise ValueError(
                f"skeleton {self.name!r} has no joint {joint!r}; it has {', '.join(self.joints)}"
            )
        return self.joints.index(joint)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) of every bone, in the order of the child joints."""
        pairs = zip(self.joints, self.parents, strict=True)
        return tuple((self.index(c), self.index(p)) for c, p in pairs if p is not None)

    @cached_property
    def bone_names(self) -> tuple[str, ...]:
        """Each bone's name: that of its outer joint."""
        return tuple(self.joints[child] for child, _ in self.bones)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """For each joint the index of its left-right counterpart (itself on the midline)."""
        return tuple(self.index(_swap_sides(joint)) for joint in self.joints)

    @cached_property
    def bone_mirror(self) -> tuple[int, ...]:
        """For each bone the index of its left-right counterpart."""
        return tuple(self.bone_names.index(_swap_sides(bone)) for bone in self.bone_names)

    @cached_property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Bone indices of torso, legs and arms, for part-aware KCS (PoseAug, section 3.3)."""
        return {
            part: tuple(self.bone_names.index(b) for b in bones if b in self.bone_names)
            for part, bones in _PARTS.items()
        }


def _swap_sides(joint: str) -> str:
    if joint.startswith("left_"):
        return "right_" + joint.removeprefix("left_")
    if joint.startswith("right_"):
        return "left_" + joint.removeprefix("right_")
    return joint


def _skeleton(name: str, tree: str) -> Skeleton:
    """Read `joint:parent joint:parent ...`; a joint without a parent is the root."""
    pairs = [item.partition(":")[::2] for item in tree.split()]
    return Skeleton(name, tuple(j for j, _ in pairs), tuple(p or None for _, p in pairs))


_ARMS_H36M = (
    "left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow "
    "right_shoulder:thorax right_elbow:right_shoulder right_wrist:right_elbow"
)
_TRUNK_H36M = (
    "pelvis right_hip:pelvis right_knee:right_hip right_ankle:right_knee "
    "left_hip:pelvis left_knee:left_hip left_ankle:left_knee spine:pelvis thorax:spine "
)
#: Human3.6M without `neck_nose`: the joints of PoseAug and of the paper's numbers.
H36M_16 = _skeleton("h36m_16", _TRUNK_H36M + "head:thorax " + _ARMS_H36M)
#: Human3.6M, indices 0,1,2,3,6,7,8,12,13,14,15,17,18,19,25,26,27 of its 32.
H36M_17 = _skeleton("h36m_17", _TRUNK_H36M + "neck_nose:thorax head:neck_nose " + _ARMS_H36M)
#: MPII Human Pose.
MPII_16 = _skeleton(
    "mpii_16",
    "right_ankle:right_knee right_knee:right_hip right_hip:pelvis left_hip:pelvis "
    "left_knee:left_hip left_ankle:left_knee pelvis thorax:pelvis upper_neck:thorax "
    "head_top:upper_neck right_wrist:right_elbow right_elbow:right_shoulder "
    "right_shoulder:thorax left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow",
)
_BODY_COCO = (
    "left_shoulder:nose right_shoulder:nose left_elbow:left_shoulder right_elbow:right_shoulder "
    "left_wrist:left_elbow right_wrist:right_elbow "
)
_LEGS_COCO = (
    "left_hip:left_shoulder right_hip:right_shoulder left_knee:left_hip right_knee:right_hip "
    "left_ankle:left_knee right_ankle:right_knee "
)
#: MS-COCO keypoints.
COCO_17 = _skeleton(
    "coco_17",
    "nose left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye "
    + _BODY_COCO
    + _LEGS_COCO,
)
#: BlazePose landmarks (Bazarevsky et al., 2020).
BLAZEPOSE_33 = _skeleton(
    "blazepose_33",
    "nose left_eye_inner:nose left_eye:left_eye_inner left_eye_outer:left_eye "
    "right_eye_inner:nose right_eye:right_eye_inner right_eye_outer:right_eye "
    "left_ear:left_eye_outer right_ear:right_eye_outer left_mouth:nose right_mouth:nose "
    + _BODY_COCO
    + "left_pinky:left_wrist right_pinky:right_wrist left_index:left_wrist right_index:right_wrist "
    "left_thumb:left_wrist right_thumb:right_wrist "
    + _LEGS_COCO
    + "left_heel:left_ankle right_heel:right_ankle "
    "left_foot_index:left_heel right_foot_index:right_heel",
)

_ARMS_NECK = (
    "right_shoulder:thorax right_elbow:right_shoulder right_wrist:right_elbow "
    "left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow "
)
_LEGS_PELVIS = (
    "right_hip:pelvis right_knee:right_hip right_ankle:right_knee "
    "left_hip:pelvis left_knee:left_hip left_ankle:left_knee "
)
#: HumanEva-I as VideoPose3D's layout has it.
HUMANEVA_15 = _skeleton(
    "humaneva_15",
    "pelvis thorax:pelvis "
    "left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow "
    "right_shoulder:thorax right_elbow:right_shoulder right_wrist:right_elbow "
    "left_hip:pelvis left_knee:left_hip left_ankle:left_knee "
    "right_hip:pelvis right_knee:right_hip right_ankle:right_knee head:thorax",
)
#: OpenPose's default; its neck is the middle of the shoulders, which is `thorax` here.
BODY_25 = _skeleton(
    "body_25",
    "nose:thorax thorax:pelvis "
    + _ARMS_NECK
    + "pelvis "
    + _LEGS_PELVIS
    + "right_eye:nose left_eye:nose right_ear:right_eye left_ear:left_eye "
    "left_big_toe:left_ankle left_small_toe:left_ankle left_heel:left_ankle "
    "right_big_toe:right_ankle right_small_toe:right_ankle right_heel:right_ankle",
)
#: OpenPose's COCO model: COCO's joints in another order, and the neck.
OPENPOSE_18 = _skeleton(
    "openpose_18",
    "nose:thorax thorax "
    + _ARMS_NECK
    + _LEGS_PELVIS.replace(":pelvis", ":thorax")
    + "right_eye:nose left_eye:nose right_ear:right_eye left_ear:left_eye",
)
#: Halpe body of AlphaPose (Fang et al., 2022).
HALPE_26 = _skeleton(
    "halpe_26",
    "nose:thorax left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye "
    "left_shoulder:thorax right_shoulder:thorax left_elbow:left_shoulder "
    "right_elbow:right_shoulder left_wrist:left_elbow right_wrist:right_elbow "
    "left_hip:pelvis right_hip:pelvis left_knee:left_hip right_knee:right_hip "
    "left_ankle:left_knee right_ankle:right_knee head_top:thorax thorax:pelvis pelvis "
    "left_big_toe:left_ankle right_big_toe:right_ankle left_small_toe:left_ankle "
    "right_small_toe:right_ankle left_heel:left_ankle right_heel:right_ankle",
)

#: Leeds Sports Pose (Johnson and Everingham, BMVC 2010). Its neck is that of the head, above the
#: shoulders: `upper_neck` here.
LSP_14 = _skeleton(
    "lsp_14",
    "right_ankle:right_knee right_knee:right_hip right_hip:upper_neck left_hip:upper_neck "
    "left_knee:left_hip left_ankle:left_knee right_wrist:right_elbow right_elbow:right_shoulder "
    "right_shoulder:upper_neck left_shoulder:upper_neck left_elbow:left_shoulder "
    "left_wrist:left_elbow upper_neck head_top:upper_neck",
)
#: MPI-INF-3DHP (Mehta et al., 3DV 2017), all joints of `annot.mat`. Its neck is where the arms
#: begin, which is `thorax` here, and its head is the joint at which the head turns: `neck_nose`,
#: as in Human3.6M's own skeleton.
MPI_INF_3DHP_28 = _skeleton(
    "mpi_inf_3dhp_28",
    "spine3:spine2 spine4:spine3 spine2:spine spine:pelvis pelvis thorax:spine4 neck_nose:thorax "
    "head_top:neck_nose left_clavicle:thorax left_shoulder:left_clavicle left_elbow:left_shoulder "
    "left_wrist:left_elbow left_hand:left_wrist right_clavicle:thorax "
    "right_shoulder:right_clavicle right_elbow:right_shoulder right_wrist:right_elbow "
    "right_hand:right_wrist left_hip:pelvis left_knee:left_hip left_ankle:left_knee "
    "left_foot:left_ankle left_toe:left_foot right_hip:pelvis right_knee:right_hip "
    "right_ankle:right_knee right_foot:right_ankle right_toe:right_foot",
)
#: MPI-INF-3DHP, its "relevant" joints: those of the test set's `annot_data.mat`, in that order.
MPI_INF_3DHP_17 = _skeleton(
    "mpi_inf_3dhp_17",
    "head_top:neck_nose thorax:spine right_shoulder:thorax right_elbow:right_shoulder "
    "right_wrist:right_elbow left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow "
    "right_hip:pelvis right_knee:right_hip right_ankle:right_knee left_hip:pelvis "
    "left_knee:left_hip left_ankle:left_knee pelvis spine:pelvis neck_nose:thorax",
)
#: SMPL (Loper et al., 2015). Its neck is `thorax` here and its head, the joint at which the head
#: turns, `neck_nose`; spine1 to spine3 are `lower_spine`, `middle_spine`, `upper_spine`, for they
#: are not where other formats have a spine.
SMPL_24 = _skeleton(
    "smpl_24",
    "pelvis left_hip:pelvis right_hip:pelvis lower_spine:pelvis left_knee:left_hip "
    "right_knee:right_hip middle_spine:lower_spine left_ankle:left_knee right_ankle:right_knee "
    "upper_spine:middle_spine left_foot:left_ankle right_foot:right_ankle thorax:upper_spine "
    "left_collar:upper_spine right_collar:upper_spine neck_nose:thorax left_shoulder:left_collar "
    "right_shoulder:right_collar left_elbow:left_shoulder right_elbow:right_shoulder "
    "left_wrist:left_elbow right_wrist:right_elbow left_hand:left_wrist right_hand:right_wrist",
)

FORMATS = {
    s.name: s
    for s in (
        H36M_16, H36M_17, MPII_16, LSP_14, COCO_17, BLAZEPOSE_33, BODY_25, OPENPOSE_18, HALPE_26,
        HUMANEVA_15, MPI_INF_3DHP_28, MPI_INF_3DHP_17, SMPL_24,
    )
}  # fmt: skip


def get(name: str) -> Skeleton:
    """The format of this name, or one of your own.

    Args:
        name: one of `FORMATS`, the path of a .toml file, or what `Skeleton.definition` gave. The
            file says `name`, `joints`, a list of "joint:parent" in their order (the root alone),
            and, if need be, a table `made` of joints that it lacks: `made.thorax =
            {left_collar = 0.5, right_collar = 0.5}`.

    Raises:
        ValueError: no such format; the message lists the names. Or the file is not as above.
        FileNotFoundError: no such file.
    """
    if name in FORMATS:
        return FORMATS[name]
    if "\n" in name:
        return _from_toml(name, "a joint format")
    if name.endswith(".toml"):
        path = Path(name).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path} with a joint format")
        return _from_toml(path.read_bytes().decode(errors="replace"), str(path))
    near = get_close_matches(name, FORMATS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"unknown skeleton {name!r}; known are {', '.join(FORMATS)}, or give a .toml file of your "
        f"own{hint}"
    )


def _from_toml(text: str, where: str) -> Skeleton:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where} is no TOML file ({error})") from error
    name, joints, made = (content.pop(key, None) for key in ("name", "joints", "made"))
    if content or not isinstance(name, str) or not _are_strings(joints):
        raise ValueError(
            f'{where} should say name = "..." and joints = ["pelvis", "right_hip:pelvis", ...]'
            + (f"; it has the unknown {', '.join(content)}" if content else "")
        )
    if not isinstance(made or {}, dict) or not all(map(_are_weights, (made or {}).values())):
        raise ValueError(
            f"{where}: `made` should say of a joint its weights, such as "
            "made.thorax = {left_collar = 0.5, right_collar = 0.5}"
        )
    bad = [item for item in joints if not re.fullmatch(r"[a-z][a-z0-9_]*(:[a-z][a-z0-9_]*)?", item)]
    if bad:
        raise ValueError(
            f"{where}: {bad[0]!r} is no joint; write joint:parent in small letters, digits and _"
        )
    tree = [item.partition(":")[::2] for item in joints]
    try:
        own = Skeleton(
            name,
            tuple(joint for joint, _ in tree),
            tuple(parent or None for _, parent in tree),
            tuple((joint, _weights(parts)) for joint, parts in (made or {}).items()),
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if own != FORMATS.get(name, own):
        raise ValueError(f"{where}: {name!r} is a format of camerapose; give yours another name")
    return own


def _weights(parts: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple((joint, float(weight)) for joint, weight in parts.items())


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _are_weights(value: Any) -> bool:
    return isinstance(value, dict) and all(type(v) in (int, float) for v in value.values())


@cache
def conversion(source: Skeleton, target: Skeleton) -> tuple[dict[str, float] | None, ...]:
    """For each joint of `target` its weights over joints of `source`; None if it can't be made."""
    return tuple(_resolve(joint, source, frozenset()) for joint in target.joints)


def _resolve(joint: str, source: Skeleton, asked: frozenset[str]) -> dict[str, float] | None:
    if joint in source.joints:
        return {joint: 1.0}
    if joint in asked:  # head_top needs head needs head_top
        return None
    own = [dict(weights) for name, weights in source.made if name == joint]
    for recipe in (*own, *RECIPES.get(joint, ())):
        parts = {name: _resolve(name, source, asked | {joint}) for name in recipe}
        if all(parts.values()):
            weights: dict[str, float] = {}
            for name, share in recipe.items():
                for base, weight in parts[name].items():
                    weights[base] = weights.get(base, 0.0) + share * weight
            return weights
    return None


def convert(
    points: Float[Any, "*batch joints d"],
    confidence: Float[Any, "*batch joints"],
    source: Skeleton,
    target: Skeleton,
) -> tuple[Float[Any, "*batch target d"], Float[Any, "*batch target"]]:
    """Bring joints of one format into another, by joint name.

    A joint that both have is copied, bit for bit. A joint that `source` lacks is interpolated
    from its neighbours (`RECIPES`; CameraPose, section 4.2) with `MADE_CONFIDENCE` times the
    smallest confidence among them. One that cannot be made is zero with confidence 0.

    Args:
        points: any dimension and unit; numpy or torch.
        confidence: 0 (not seen) to 1.
    """
    if points.shape[-2] != source.n_joints:
        raise ValueError(
            f"points have {points.shape[-2]} joints but {source.name} has {source.n_joints}; "
            f"name the skeleton that the points are in (known: {', '.join(FORMATS)})"
        )
    if source == target:
        return points, confidence
    xp = array_namespace(points, confidence)
    columns, scores = [], []
    for joint, weights in zip(target.joints, conversion(source, target), strict=True):
        if weights is None:
            columns.append(xp.zeros_like(points[..., 0, :]))
            scores.append(xp.zeros_like(confidence[..., 0]))
        elif joint in source.joints:
            columns.append(points[..., source.index(joint), :])
            scores.append(confidence[..., source.index(joint)])
        else:
            columns.append(sum(points[..., source.index(j), :] * w for j, w in weights.items()))
            seen = xp.stack([confidence[..., source.index(j)] for j in weights], axis=-1)
            scores.append(xp.min(seen, axis=-1) * MADE_CONFIDENCE)
    return xp.stack(columns, axis=-2), xp.stack(scores, axis=-1)
