"""The joints of `body_46` on an `anny` body, from its surface points and bone heads."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from camerapose.core.joint_formats import BODY_46

_LIMBS = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
_LEGS = ("pelvis", "upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot")
#: Heads of bones, and the top of the head, in the order of `anny_pairs.npz`.
BONES = (
    "root",
    *(f"{bone}.{side}" for side in "LR" for bone in _LEGS),
    *(f"spine0{i}" for i in (5, 4, 3, 2, 1)),
    *(f"{bone}.{side}" for side in "LR" for bone in ("clavicle", "shoulder01", *_LIMBS)),
    "neck01", "neck02", "neck03", "head", "eye.L", "eye.R", "head_vertex_top",
)  # fmt: skip
#: Joints of `body_46` as weighted means of others and of `BONES`, in order of computation. Joint
#: centres are bone heads. Hips, shoulders, spine and thorax are placed as in Human3.6M by constants
#: measured there; `neck_nose_h36m` and `head_h36m` are approximations, to 7 and 15 mm.
RECIPES: dict[str, Mapping[str, float]] = {
    **{
        f"{side}_{joint}": {f"{bone}.{own}": weight, f"{bone}.{other}": 1 - weight}
        for side, own, other in (("left", "L", "R"), ("right", "R", "L"))
        for joint, bone, weight in (
            ("hip_h36m", "upperleg01", 1.075), ("knee_h36m", "lowerleg01", 1.0),
            ("ankle_h36m", "foot", 1.0), ("shoulder_h36m", "upperarm01", 0.865),
            ("elbow_h36m", "lowerarm01", 1.0), ("wrist_h36m", "wrist", 1.0),
            ("hip_centre", "upperleg01", 1.0), ("shoulder_centre", "upperarm01", 1.0),
        )
    },
    "pelvis_h36m": {"upperleg01.L": 0.5, "upperleg01.R": 0.5},
    "thorax_h36m": {"neck01": 0.5, "clavicle.L": 0.25, "clavicle.R": 0.25},
    "spine_h36m": {"pelvis_h36m": 0.51, "thorax_h36m": 0.49},
    "neck_nose_h36m": {
        "thorax_h36m": 1.0255, "head": -1.5238, "neck03": -0.1393, "head_vertex_top": 0.1635,
        "nose": 0.3164, "eye.L": 0.22475, "eye.R": 0.22475, "left_ear": 0.3541, "right_ear": 0.3541,
    },
    "head_h36m": {
        "thorax_h36m": 0.9863, "head": -0.2986, "head_vertex_top": 0.6395, "nose": -1.4804,
        "eye.L": 1.3259, "eye.R": 1.3259, "left_ear": -0.74925, "right_ear": -0.74925,
    },
    "upper_neck": {"neck03": 1.0},
    "head_top": {"head_vertex_top": 1.0},
}  # fmt: skip


def superset(
    coco: Float[np.ndarray, "n 23 3"], bones: Float[np.ndarray, "n 39 3"]
) -> Float[np.ndarray, "n 46 3"]:
    """Return the joints of `body_46`, whose first 23 are the surface points."""
    points = dict(zip(BODY_46.joints, np.moveaxis(coco, 1, 0), strict=False))
    points |= dict(zip(BONES, np.moveaxis(bones, 1, 0), strict=True))
    for joint, recipe in RECIPES.items():
        weights = np.array(list(recipe.values()))
        weights = weights / weights.sum()  # the recipes are rounded
        points[joint] = sum(w * points[name] for w, name in zip(weights, recipe, strict=True))
    return np.stack([points[joint] for joint in BODY_46.joints], axis=1).astype(np.float32)
