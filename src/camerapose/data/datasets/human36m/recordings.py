"""Published recordings of Human3.6M: subjects, actions, numbers of frames, joint order."""

import re

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
#: Training subjects of every protocol; S9 and S11 are for testing.
TRAIN = ("S1", "S5", "S6", "S7", "S8")
#: Corrupt in the published data and excluded by all protocols.
EXCLUDED = {("S11", "Directions")}
#: The same recording as named by h36m-fetch, from the metadata.
EXCLUDED_H5 = {("S11", "Directions 2")}

#: Indices of the joints of `h36m_17` among Human3.6M's 32.
JOINTS_OF_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]

#: Frames of the published recordings (each seen by four cameras); for S5 and S7 only the sum is
#: known. Source: VideoPose3D trains on 1,559,752 and tests on 543,344 poses.
FRAMES = {
    "S1": 62094, "S5+S7": 200700, "S6": 62466, "S8": 64678, "S9": 79417, "S11": 56419,
}  # fmt: skip
_ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases",
    "Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "WalkTogether", "Walking",
)  # fmt: skip
#: Takes of each action: "12" are "Directions 1" and "Directions 2"; 0 is the take without a number.
_TAKES = {
    "S1": "01 01 02 01 01 01 01 01 12 02 01 01 01 01 01",
    "S5": "12 23 01 12 01 02 01 01 01 01 01 12 01 01 01",
    "S6": "01 01 12 01 01 01 02 01 12 01 01 03 01 01 01",
    "S7": "01 01 01 01 02 01 01 01 01 01 01 12 01 01 12",
    "S8": "01 01 01 01 01 01 01 01 01 01 01 01 01 12 01",
    "S9": "01 12 01 01 01 01 01 01 01 01 01 01 01 01 01",
    "S11": "01 12 01 02 23 01 01 01 01 01 02 01 01 01 01",
}


#: Official names of two actions, and the names in use.
_RENAMED = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}


def published_actions(subject: str) -> list[str]:
    """Return the names of a subject's published recordings, without the excluded ones."""
    names = [
        action if take == "0" else f"{action} {take}"
        for action, takes in zip(_ACTIONS, _TAKES[subject].split(), strict=True)
        for take in takes
    ]
    return [name for name in names if (subject, name) not in EXCLUDED]


def action_name(action: str) -> str:
    """Return an action without the number of its take.

    "Walking 1" and "Walking 1 chunk0" are both "Walking": HumanEva's recordings are cut into chunks
    where markers were lost.
    """
    return re.sub(r" \d+( chunk\d+)?$", "", action)


def common_name(action: str) -> str:
    """Return the usual name of an official action: "TakingPhoto 1" is "Photo 1"."""
    name, _, take = action.partition(" ")
    return f"{_RENAMED.get(name, name)} {take}".strip()
