"""Pose `anny` bodies like joints of motion capture."""

import numpy as np
from jaxtyping import Float

from camerapose.data.datasets.rendered.joints import superset
from camerapose.data.render.bodies import Bodies
from camerapose.data.retarget import segment_rotations

#: Bodies that are posed at once.
BATCH = 50
#: Bones of anny that rotate with a segment of `data.retarget`, or between two; all others rotate
#: with their parent.
SEGMENT_OF: dict[str, tuple[str, ...]] = {
    "root": ("lower",), "spine03": ("lower", "upper"), "spine02": ("upper",),
    "neck01": ("upper", "head"), "head": ("head",),
    **{
        f"{bone}.{letter}": (f"{side}_{segment}",)
        for letter, side in (("L", "left"), ("R", "right"))
        for bone, segment in (
            ("upperarm01", "arm"), ("lowerarm01", "forearm"), ("upperleg01", "thigh"),
            ("lowerleg01", "shank"),
        )
    },
}  # fmt: skip


def in_motion(
    bodies: Bodies, shape: Float[np.ndarray, "n 6"], motion: Float[np.ndarray, "n 17 3"]
) -> tuple[Float[np.ndarray, "n bones 3"], Float[np.ndarray, "n 23 3"]]:
    """Return bone heads and surface points of bodies in the postures of a motion.

    Only directions of limbs, head and trunk are used, as in `data.retarget`; feet keep their angle
    to the shank, hands to the forearm.

    Args:
        bodies: the body model.
        shape: values of `bodies.SHAPE`.
        motion: joints of `H36M_17` in any definition, z up.
    """
    bones, coco = [], []
    for i in range(0, len(motion), BATCH):
        some = shape[i : i + BATCH]
        rest_bones, rest_coco = bodies.at_rest(some)
        rotation = segment_rotations(motion[i : i + BATCH], superset(rest_coco, rest_bones))
        posed = bodies.rotated(some, bone_rotations(bodies, rotation))
        bones.append(np.stack([body.bones for body in posed]))
        coco.append(np.stack([body.coco for body in posed]))
    return np.concatenate(bones), np.concatenate(coco)


def bone_rotations(
    bodies: Bodies, rotation: dict[str, Float[np.ndarray, "n 3 3"]]
) -> Float[np.ndarray, "n labels 3 3"]:
    """Return the rotation of each bone of anny from those of the segments."""
    result: list[np.ndarray] = []
    for label, parent in zip(bodies.labels, bodies.parents, strict=True):
        segments = SEGMENT_OF.get(label)
        if segments is None:
            result.append(result[parent])
        elif len(segments) == 1:
            result.append(rotation[segments[0]])
        else:
            result.append(_between(*(rotation[name] for name in segments)))
    return np.stack(result, axis=1).astype(np.float32)


def _between(
    a: Float[np.ndarray, "n 3 3"], b: Float[np.ndarray, "n 3 3"]
) -> Float[np.ndarray, "n 3 3"]:
    """Return the rotations half way between two: the nearest ones to their sum."""
    u, _, vt = np.linalg.svd(a + b)
    u[..., -1] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt
