"""Kinematic tree of a skeleton with several definitions of a joint in the clip optimisation."""

from camerapose.core.conversion import ENDINGS
from camerapose.core.skeleton import Skeleton

#: Definition to which the others are attached: its joints are centres, at constant distances.
MAIN = "_h36m"


def attached(skeleton: Skeleton) -> Skeleton:
    """Return a skeleton in which all definitions of a joint are attached to one of them.

    Detectors see one definition of an elbow or ankle. If each definition had a chain of its own
    from the root, the others would not follow the detections, nor the contacts of the feet.
    Skeletons with a single definition are returned unchanged.
    """
    parents = []
    for joint, parent in zip(skeleton.joints, skeleton.parents, strict=True):
        main = _main(joint, skeleton)
        above = None if parent is None else _main(parent, skeleton)
        parents.append(above if main == joint else main)
    return Skeleton(skeleton.name, skeleton.joints, tuple(parents))


def find(skeleton: Skeleton, joint: str) -> int | None:
    """Return the index of a joint or of its main definition; None if the skeleton lacks it."""
    name = _main(joint, skeleton)
    return skeleton.joints.index(name) if name in skeleton.joints else None


def same_joint(skeleton: Skeleton, child: int, parent: int) -> bool:
    """Return whether two joints are definitions of the same one."""
    return _plain(skeleton.joints[child]) == _plain(skeleton.joints[parent])


def _main(joint: str, skeleton: Skeleton) -> str:
    main = _plain(joint) + MAIN
    return main if main in skeleton.joints else joint


def _plain(joint: str) -> str:
    for ending in ENDINGS:
        joint = joint.removesuffix(ending)
    return joint
