"""Named joint formats, and joint formats from TOML files."""

import json
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from camerapose.core import toml
from camerapose.core.skeleton import Skeleton


def _skeleton(name: str, tree: str) -> Skeleton:
    """Parse `joint:parent joint:parent ...`; the joint without a parent is the root."""
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
#: Human3.6M without `neck_nose`: the joints of PoseAug and of the paper's results.
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
_TREE_COCO = (
    "nose left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye "
    + _BODY_COCO
    + _LEGS_COCO
)
COCO_17 = _skeleton("coco_17", _TREE_COCO)
_FEET = (
    "left_big_toe:left_ankle left_small_toe:left_ankle left_heel:left_ankle "
    "right_big_toe:right_ankle right_small_toe:right_ankle right_heel:right_ankle"
)
#: Body and feet of COCO-WholeBody (Jin et al., ECCV 2020), the first 23 of its 133 joints.
COCO_WHOLEBODY_23 = _skeleton("coco_wholebody_23", _TREE_COCO + _FEET)
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
#: HumanEva-I in the joint order of VideoPose3D.
HUMANEVA_15 = _skeleton(
    "humaneva_15",
    "pelvis thorax:pelvis "
    "left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow "
    "right_shoulder:thorax right_elbow:right_shoulder right_wrist:right_elbow "
    "left_hip:pelvis left_knee:left_hip left_ankle:left_knee "
    "right_hip:pelvis right_knee:right_hip right_ankle:right_knee head:thorax",
)
#: Default model of OpenPose. Its neck is the midpoint of the shoulders: `thorax` here.
BODY_25 = _skeleton(
    "body_25",
    "nose:thorax thorax:pelvis "
    + _ARMS_NECK
    + "pelvis "
    + _LEGS_PELVIS
    + "right_eye:nose left_eye:nose right_ear:right_eye left_ear:left_eye "
    + _FEET,
)
#: COCO model of OpenPose: the joints of COCO in another order, and the neck.
OPENPOSE_18 = _skeleton(
    "openpose_18",
    "nose:thorax thorax "
    + _ARMS_NECK
    + _LEGS_PELVIS.replace(":pelvis", ":thorax")
    + "right_eye:nose left_eye:nose right_ear:right_eye left_ear:left_eye",
)
#: Halpe body joints of AlphaPose (Fang et al., 2022).
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

#: Leeds Sports Pose (Johnson and Everingham, BMVC 2010). Its neck lies above the shoulders:
#: `upper_neck` here.
LSP_14 = _skeleton(
    "lsp_14",
    "right_ankle:right_knee right_knee:right_hip right_hip:upper_neck left_hip:upper_neck "
    "left_knee:left_hip left_ankle:left_knee right_wrist:right_elbow right_elbow:right_shoulder "
    "right_shoulder:upper_neck left_shoulder:upper_neck left_elbow:left_shoulder "
    "left_wrist:left_elbow upper_neck head_top:upper_neck",
)
#: MPI-INF-3DHP (Mehta et al., 3DV 2017), all joints of `annot.mat`. Its neck lies between the
#: shoulders: `thorax` here. Its head is the joint about which the head rotates: `neck_nose`, as in
#: the skeleton of Human3.6M.
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
#: The "relevant" joints of MPI-INF-3DHP, in the order of the test set's `annot_data.mat`.
MPI_INF_3DHP_17 = _skeleton(
    "mpi_inf_3dhp_17",
    "head_top:neck_nose thorax:spine right_shoulder:thorax right_elbow:right_shoulder "
    "right_wrist:right_elbow left_shoulder:thorax left_elbow:left_shoulder left_wrist:left_elbow "
    "right_hip:pelvis right_knee:right_hip right_ankle:right_knee left_hip:pelvis "
    "left_knee:left_hip left_ankle:left_knee pelvis spine:pelvis neck_nose:thorax",
)
#: SMPL (Loper et al., 2015). Its neck is `thorax` here, and its head, the joint about which the
#: head rotates, is `neck_nose`. Its spine1 to spine3 are `lower_spine`, `middle_spine` and
#: `upper_spine`, since none of them coincides with the spine joint of other formats.
SMPL_24 = _skeleton(
    "smpl_24",
    "pelvis left_hip:pelvis right_hip:pelvis lower_spine:pelvis left_knee:left_hip "
    "right_knee:right_hip middle_spine:lower_spine left_ankle:left_knee right_ankle:right_knee "
    "upper_spine:middle_spine left_foot:left_ankle right_foot:right_ankle thorax:upper_spine "
    "left_collar:upper_spine right_collar:upper_spine neck_nose:thorax left_shoulder:left_collar "
    "right_shoulder:right_collar left_elbow:left_shoulder right_elbow:right_shoulder "
    "left_wrist:left_elbow right_wrist:right_elbow left_hand:left_wrist right_hand:right_wrist",
)
#: OpenPose's experimental model of 2019: COCO, upper neck, head top and feet.
BODY_25B = _skeleton(
    "body_25b",
    _TREE_COCO + "upper_neck:nose head_top:upper_neck " + _FEET,
)
#: OpenPose's MPI model; its chest is between neck and hips, its neck is `thorax`.
OPENPOSE_15 = _skeleton(
    "openpose_15",
    "head_top:thorax thorax:spine "
    + _ARMS_NECK
    + _LEGS_PELVIS.replace(":pelvis", ":spine")
    + "spine",
)
#: CrowdPose (Li et al., CVPR 2019). Its neck is that of the head, as in LSP.
CROWDPOSE_14 = _skeleton(
    "crowdpose_14",
    "left_shoulder:upper_neck right_shoulder:upper_neck left_elbow:left_shoulder "
    "right_elbow:right_shoulder left_wrist:left_elbow right_wrist:right_elbow "
    + _LEGS_COCO
    + "head_top:upper_neck upper_neck",
)
#: AI Challenger (Wu et al., 2017). Its neck is that of the head, as in LSP.
AIC_14 = _skeleton(
    "aic_14",
    (_ARMS_NECK + _LEGS_PELVIS).replace(":thorax", ":upper_neck").replace(":pelvis", ":upper_neck")
    + "head_top:upper_neck upper_neck",
)

#: Superset predicted by models of several joint definitions: COCO's joints as annotated on the
#: surface with toes and heels, Human3.6M's 17 (`_h36m`; knees, ankles, elbows and wrists are joint
#: centres), the centres of hips and shoulders (`_centre`), and MPII's upper neck and head top.
#: Conversion to and from it selects joints by definition (`core.conversion`).
BODY_46 = _skeleton(
    "body_46",
    "nose:head_h36m left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye "
    "left_shoulder:thorax_h36m right_shoulder:thorax_h36m left_elbow:left_shoulder "
    "right_elbow:right_shoulder left_wrist:left_elbow right_wrist:right_elbow "
    "left_hip:pelvis_h36m right_hip:pelvis_h36m left_knee:left_hip right_knee:right_hip "
    "left_ankle:left_knee right_ankle:right_knee left_big_toe:left_ankle "
    "right_big_toe:right_ankle left_small_toe:left_ankle right_small_toe:right_ankle "
    "left_heel:left_ankle right_heel:right_ankle "
    + re.sub(
        r"\w+",
        lambda match: f"{match[0]}_h36m",
        " ".join(
            f"{joint}:{parent}" if parent else joint
            for joint, parent in zip(H36M_17.joints, H36M_17.parents, strict=True)
        ),
    )
    + " left_hip_centre:pelvis_h36m right_hip_centre:pelvis_h36m "
    "left_shoulder_centre:thorax_h36m right_shoulder_centre:thorax_h36m "
    "upper_neck:thorax_h36m head_top:upper_neck",
)

#: Human3.6M with toes and heels: the joints of motion files of `BODY_46`.
H36M_23 = _skeleton(
    "h36m_23",
    " ".join(
        f"{joint}:{parent}" if parent else joint
        for joint, parent in zip(H36M_17.joints, H36M_17.parents, strict=True)
    )
    + " left_big_toe:left_ankle left_small_toe:left_ankle left_heel:left_ankle "
    "right_big_toe:right_ankle right_small_toe:right_ankle right_heel:right_ankle",
)

FORMATS = {
    s.name: s
    for s in (
        H36M_16, H36M_17, MPII_16, LSP_14, COCO_17, BLAZEPOSE_33, BODY_25, BODY_25B, OPENPOSE_18,
        OPENPOSE_15, HALPE_26, HUMANEVA_15, MPI_INF_3DHP_28, MPI_INF_3DHP_17, SMPL_24,
        CROWDPOSE_14, AIC_14, COCO_WHOLEBODY_23,
    )
}  # fmt: skip
#: Formats that only models and exported files use; no keypoint file has them.
SUPERSETS = {BODY_46.name: BODY_46, H36M_23.name: H36M_23}
_BUILT_IN = FORMATS | SUPERSETS


def get(name: str) -> Skeleton:
    """Return a joint format by name, or read one from TOML.

    Args:
        name: a key of `FORMATS` or `SUPERSETS`, the path of a .toml file, or the result of
            `definition`. A TOML file has the keys `name`, `joints` (a list of "joint:parent" in
            order; the root has no parent) and, optionally, the table `derived` with weights for
            joints that the format lacks, such as
            `derived.thorax = {left_collar = 0.5, right_collar = 0.5}`.

    Raises:
        ValueError: unknown name (the message lists the known ones), or invalid TOML.
        FileNotFoundError: the .toml file does not exist.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if "\n" in name:
        return _from_toml(name, "joint format")
    if name.endswith(".toml"):
        path = Path(name).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"no file {path} with a joint format")
        return _from_toml(path.read_bytes().decode(errors="replace"), str(path))
    near = get_close_matches(name, FORMATS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"unknown skeleton {name!r}; known are {', '.join(FORMATS)}, or give a .toml file{hint}"
    )


def definition(skeleton: Skeleton) -> str:
    """Return the text from which `get` restores a format: its name, or TOML for a custom one."""
    if _BUILT_IN.get(skeleton.name) == skeleton:
        return skeleton.name
    tree = zip(skeleton.joints, skeleton.parents, strict=True)
    joints = [f"{joint}:{parent}" if parent else joint for joint, parent in tree]
    lines = [f"name = {json.dumps(skeleton.name)}", f"joints = {json.dumps(joints)}"]
    for joint, weights in skeleton.derived:
        parts = ", ".join(f"{name} = {float(weight)!r}" for name, weight in weights)
        lines.append(f"derived.{joint} = {{ {parts} }}")
    return "\n".join(lines) + "\n"


def _from_toml(text: str, where: str) -> Skeleton:
    try:
        content = toml.parse(text)
    except ValueError as error:
        raise ValueError(f"{where} is not valid TOML ({error})") from error
    name, joints, derived = (content.pop(key, None) for key in ("name", "joints", "derived"))
    if content or not isinstance(name, str) or not _are_strings(joints):
        raise ValueError(
            f'{where} needs name = "..." and joints = ["pelvis", "right_hip:pelvis", ...]'
            + (f"; unknown keys: {', '.join(content)}" if content else "")
        )
    derived = {} if derived is None else derived
    if not isinstance(derived, dict) or not all(map(_are_weights, derived.values())):
        raise ValueError(
            f"{where}: `derived` needs the weights of each joint, such as "
            "derived.thorax = {left_collar = 0.5, right_collar = 0.5}"
        )
    bad = [item for item in joints if not re.fullmatch(r"[a-z][a-z0-9_]*(:[a-z][a-z0-9_]*)?", item)]
    if bad:
        raise ValueError(
            f"{where}: {bad[0]!r} is not a joint; write joint:parent in lower-case letters, digits "
            "and underscores"
        )
    tree = [item.partition(":")[::2] for item in joints]
    try:
        skeleton = Skeleton(
            name,
            tuple(joint for joint, _ in tree),
            tuple(parent or None for _, parent in tree),
            tuple((joint, _weights(parts)) for joint, parts in derived.items()),
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if skeleton != _BUILT_IN.get(name, skeleton):
        raise ValueError(f"{where}: {name!r} is a built-in joint format; choose another name")
    return skeleton


def _weights(parts: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple((joint, float(weight)) for joint, weight in parts.items())


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _are_weights(value: Any) -> bool:
    return isinstance(value, dict) and all(type(v) in (int, float) for v in value.values())
