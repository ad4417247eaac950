"""Published contents of MPI-INF-3DHP: subjects, frame counts, activities, joint orders."""

SUBJECTS = {
    "train": tuple(f"S{i}" for i in range(1, 9)),
    "test": tuple(f"TS{i}" for i in range(1, 7)),
}
SEQUENCES = ("Seq1", "Seq2")
#: Cameras at chest and knee height and two that look down; the usual choice (VNect, 2017).
VNECT = (0, 1, 2, 4, 5, 6, 7, 8)
CAMERAS = 14
ANNOTATIONS = ("annot3", "univ_annot3")
#: Frames of every recording that have an image; files may have annotations of a few more.
FRAMES = {
    ("S1", "Seq1"): 6416, ("S1", "Seq2"): 12430, ("S2", "Seq1"): 6502, ("S2", "Seq2"): 6081,
    ("S3", "Seq1"): 12488, ("S3", "Seq2"): 12283, ("S4", "Seq1"): 6171, ("S4", "Seq2"): 6675,
    ("S5", "Seq1"): 12820, ("S5", "Seq2"): 12312, ("S6", "Seq1"): 6188, ("S6", "Seq2"): 6145,
    ("S7", "Seq1"): 6239, ("S7", "Seq2"): 6320, ("S8", "Seq1"): 6468, ("S8", "Seq2"): 6054,
}  # fmt: skip
#: Valid frames of the test recordings, 2929 in total.
VALID_FRAMES = {"TS1": 603, "TS2": 540, "TS3": 505, "TS4": 553, "TS5": 276, "TS6": 452}
#: Names of activity_annotation, from 1.
ACTIVITIES = (
    "Standing/Walking", "Exercising", "Sitting", "Reaching/Crouching", "On The Floor", "Sports",
    "Miscellaneous",
)  # fmt: skip

HOW_TO_GET = (
    "Get it from http://gvv.mpi-inf.mpg.de/3dhp-dataset (get_dataset.sh, get_testset.sh; the terms "
    "require your consent) and give the folder of S1 to S8 and of TS1 to TS6."
)

#: Indices of the 17 joints of the test set among the 28 ("relevant" in mpii_get_joint_set.m).
JOINTS_OF_28 = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
#: Index of the pelvis among the 17.
PELVIS = 14
#: Human3.6M's 17 among these 17, as is usual: the neck serves as thorax, the head's top as head.
#: The 16 omit the joint that serves as neck_nose.
_H36M_17 = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
_H36M_16 = [joint for joint in _H36M_17 if joint != 16]
_ORDERS = {
    "mpi_inf_3dhp_28": {"train": list(range(28))},
    "mpi_inf_3dhp_17": {"train": JOINTS_OF_28, "test": list(range(17))},
    "h36m_17": {"train": [JOINTS_OF_28[j] for j in _H36M_17], "test": _H36M_17},
    "h36m_16": {"train": [JOINTS_OF_28[j] for j in _H36M_16], "test": _H36M_16},
}


def joint_order(skeleton: str, split: str) -> list[int]:
    """Return the indices of a format's joints among those of the split's files.

    Raises:
        ValueError: the split is not available in this format.
    """
    known = {name: orders[split] for name, orders in _ORDERS.items() if split in orders}
    if skeleton not in known:
        raise ValueError(
            f"MPI-INF-3DHP ({split}) is available as {', '.join(known)}, not as {skeleton!r}; for "
            "another joint format use poses.to(skeleton) on the result"
        )
    return known[skeleton]
