"""The joint format of a pose: joint names, the kinematic tree, left-right symmetry, body parts.

Code outside `camerapose.core` refers to joints by name or through a `Skeleton`, never by number.
"""

from dataclasses import dataclass
from functools import cached_property

#: Bones (named by their outer joint) of the five parts of part-aware KCS.
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
    """A joint format: ordered joint names and the parent of each joint.

    Attributes:
        name: name of the format.
        joints: joint names in order; each `left_` joint needs its `right_` counterpart.
        parents: parent of each joint; None for the root.
        derived: joints that this format lacks, as weighted sums of its own joints: pairs
            (joint, ((source joint, weight), ...)), weights sum to 1. Conversion to another format
            tries these before `camerapose.core.conversion.RECIPES`.

    Raises:
        ValueError: the parents do not form a tree, or left and right differ.

    Examples:
        >>> from camerapose.core.joint_formats import H36M_16
        >>> H36M_16.n_joints, H36M_16.root
        (16, 'pelvis')
        >>> H36M_16.joints[H36M_16.mirror[H36M_16.index("left_knee")]]
        'right_knee'
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[str | None, ...]
    derived: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()

    def __post_init__(self) -> None:
        if len(self.joints) != len(self.parents):
            raise ValueError(
                f"skeleton {self.name!r} has {len(self.joints)} joints and "
                f"{len(self.parents)} parents; give one parent per joint (None for the root)"
            )
        if len(set(self.joints)) != len(self.joints):
            raise ValueError(f"skeleton {self.name!r} has duplicate joints: {self.joints}")
        unknown = {p for p in self.parents if p is not None} - set(self.joints)
        if unknown or self.parents.count(None) != 1:
            raise ValueError(
                f"skeleton {self.name!r} needs one root (parent None) and parents among its own "
                f"joints; unknown parents: {sorted(unknown)}"
            )
        self._check_tree()
        self._check_sides()
        self._check_derived()

    def _check_tree(self) -> None:
        parent = dict(zip(self.joints, self.parents, strict=True))
        for joint in self.joints:
            path = [joint]
            while (above := parent[path[-1]]) is not None:
                if above in path:
                    raise ValueError(
                        f"skeleton {self.name!r}: the parents of {joint!r} form a cycle "
                        f"({' -> '.join([*path, above])}) that does not reach the root"
                    )
                path.append(above)

    def _check_sides(self) -> None:
        """Check that every joint has its left-right counterpart, which mirroring needs."""
        for joint in self.joints:
            if _swap_sides(joint) not in self.joints:
                raise ValueError(
                    f"skeleton {self.name!r} has {joint!r} but no {_swap_sides(joint)!r}; "
                    "mirroring needs both sides or neither"
                )

    def _check_derived(self) -> None:
        """Check that derived joints have valid weights and are left-right symmetric."""
        derived = {joint: dict(weights) for joint, weights in self.derived}
        for joint, weights in derived.items():
            unknown = sorted(set(weights) - set(self.joints))
            if joint in self.joints or unknown or abs(sum(weights.values()) - 1) > 1e-6:
                raise ValueError(
                    f"skeleton {self.name!r}: {joint!r} cannot be derived from {weights}; give a "
                    "joint that the skeleton lacks, and weights of its own joints that sum to 1"
                    + (f" (unknown: {', '.join(unknown)})" if unknown else "")
                )
            mirrored = {_swap_sides(source): weight for source, weight in weights.items()}
            if derived.get(_swap_sides(joint)) != mirrored:
                raise ValueError(
                    f"skeleton {self.name!r}: {joint!r} is derived from {weights}, but its mirror "
                    f"image {_swap_sides(joint)!r} is not derived from {mirrored}"
                )

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.joints)

    @property
    def root_index(self) -> int:
        """Index of the root joint."""
        return self.parents.index(None)

    @property
    def root(self) -> str:
        """Name of the root joint."""
        return self.joints[self.root_index]

    def index(self, joint: str) -> int:
        """Return the index of a joint. ValueError if the format has no such joint."""
        if joint not in self.joints:
            raise ValueError(
                f"skeleton {self.name!r} has no joint {joint!r}; it has {', '.join(self.joints)}"
            )
        return self.joints.index(joint)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) indices of every bone, in the order of the child joints."""
        pairs = zip(self.joints, self.parents, strict=True)
        return tuple((self.index(c), self.index(p)) for c, p in pairs if p is not None)

    @cached_property
    def bone_names(self) -> tuple[str, ...]:
        """Name of each bone: the name of its child joint."""
        return tuple(self.joints[child] for child, _ in self.bones)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Index of each joint's left-right counterpart (of the joint itself on the midline)."""
        return tuple(self.index(_swap_sides(joint)) for joint in self.joints)

    @cached_property
    def bone_mirror(self) -> tuple[int, ...]:
        """Index of each bone's left-right counterpart."""
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
