"""The joint centre that each joint of `body_46` moves with."""

from camerapose.core.joint_formats import BODY_46
from camerapose.core.skeleton import Skeleton

#: Parents that are not those of `BODY_46` but the joint that a point of the body surface moves
#: with: the joint centre next to it.
_ATTACHED = {
    **{f"{joint}_h36m": f"{joint}_centre" for side in ("left", "right")
       for joint in (f"{side}_hip", f"{side}_shoulder")},
    **{f"{side}_{joint}": f"{side}_{joint}_h36m" for side in ("left", "right")
       for joint in ("knee", "ankle", "elbow", "wrist")},
    **{f"{side}_{joint}": f"{side}_{joint}_centre" for side in ("left", "right")
       for joint in ("hip", "shoulder")},
    **{f"{side}_{joint}": f"{side}_ankle_h36m" for side in ("left", "right")
       for joint in ("heel", "big_toe", "small_toe")},
    **{f"{side}_knee_h36m": f"{side}_hip_centre" for side in ("left", "right")},
    **{f"{side}_elbow_h36m": f"{side}_shoulder_centre" for side in ("left", "right")},
    **{f"{side}_ear": "head_h36m" for side in ("left", "right")},
    "head_top": "head_h36m",
}  # fmt: skip
#: Skeleton of `BODY_46` in which each surface point is attached to its joint centre.
ATTACHED = Skeleton(
    "body_46_attached",
    BODY_46.joints,
    tuple(
        _ATTACHED.get(joint, parent)
        for joint, parent in zip(BODY_46.joints, BODY_46.parents, strict=True)
    ),
)
