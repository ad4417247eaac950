"""Colours of joints, bones and people, shared by figures, overlays and reports.

Left limbs are blue, right limbs vermilion, the trunk is dark: distinguishable with colour
blindness (Okabe and Ito, 2008). Several people get one colour each, their right limbs a lighter
shade.
"""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton

#: A name, a hex code, or red, green and blue from 0 to 1.
Color = str | tuple[float, ...]

LEFT, RIGHT, TRUNK = "#0072B2", "#E0560B", "#2E3440"
#: One colour per person if there are several.
PEOPLE = ("#0072B2", "#E0560B", "#009E73", "#CC79A7", "#B58900", "#56B4E9")
GROUND_TRUTH = "#A3A9B4"
TEXT, CAPTION = "#20242C", "#8A909C"
FLOOR, GRID, SHADOW = "#F4F5F8", "#DFE3E9", "#CDD2DB"
ARROW = "#009E73"
#: Discs whose radius is the predicted standard deviation of a joint.
STD = "#E6A700"
#: Confidence from 0 (dark) to 1 (yellow), distinguishable with colour blindness.
CONFIDENCE = LinearSegmentedColormap.from_list(
    "confidence", ["#3B1E6D", "#9C2A78", "#E3544F", "#FB9F3A", "#F6E84A"]
)
#: Share of white in the colour of a person's right limbs.
RIGHT_LIGHTER = 0.42


def person_colors(poses: Poses, several: bool) -> list[str | None]:
    """Return one colour per pose by the label `person`; None (colours by side) for one person.

    Args:
        several: whether the figure shows several people.
    """
    if not several:
        return [None] * len(poses)
    numbers = poses.labels.get("person", np.arange(len(poses)))
    return [PEOPLE[int(number) % len(PEOPLE)] for number in numbers]


def bone_colors(skeleton: Skeleton, color: str | None) -> list[Color]:
    """Return the colour of each bone by the side of its outer joint.

    Args:
        color: colour of a person, `GROUND_TRUTH`, or None for the colours by side.
    """
    if color is None:
        sides = {"left": LEFT, "right": RIGHT}
        return [sides.get(bone.partition("_")[0], TRUNK) for bone in skeleton.bone_names]
    if color == GROUND_TRUTH:
        return [GROUND_TRUTH] * len(skeleton.bones)
    return [
        lighter(color, RIGHT_LIGHTER) if bone.startswith("right_") else color
        for bone in skeleton.bone_names
    ]


def joint_colors(skeleton: Skeleton, color: str | None) -> list[Color]:
    """Return the colour of each joint: that of the bone that ends in it."""
    bones = dict(zip(skeleton.bone_names, bone_colors(skeleton, color), strict=True))
    return [bones.get(joint, color or TRUNK) for joint in skeleton.joints]


def lighter(color: Color, share: float) -> Color:
    """Mix a colour with a share of white."""
    return tuple(1 - (1 - channel) * (1 - share) for channel in to_rgb(color))
