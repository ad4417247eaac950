"""Content of rendered data sets: which person was detected, true 2D, joining of files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from camerapose.core import joint_formats
from camerapose.core.skeleton import Skeleton
from camerapose.io.arrays import check_rows, read_arrays

#: A detection belongs to a person if the median distance of its joints to the true ones is below
#: this share of the person's size (`person_size`).
SAME_PERSON = 0.25
#: Joints that decide to whom a detection belongs; left and right alternate.
LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
_TREE = (
    "nose left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye left_shoulder:nose "
    "right_shoulder:nose left_elbow:left_shoulder right_elbow:right_shoulder "
    "left_wrist:left_elbow right_wrist:right_elbow left_hip:left_shoulder "
    "right_hip:right_shoulder left_knee:left_hip right_knee:right_hip left_ankle:left_knee "
    "right_ankle:right_knee left_big_toe:left_ankle right_big_toe:right_ankle "
    "left_small_toe:left_ankle right_small_toe:right_ankle left_heel:left_ankle "
    "right_heel:right_ankle"
)
_JOINTS = [item.partition(":")[::2] for item in _TREE.split()]
#: COCO's joints as annotated, toes and heels: the joints of the labels.
COCO_23 = Skeleton(
    "coco_23", tuple(j for j, _ in _JOINTS), tuple(parent or None for _, parent in _JOINTS)
)


#: Arrays of a file of images: one row per image, or per person.
LABELS = {
    "focal": ("images",), "size": ("images", 2), "image": ("people",), "coco": ("people", 23, 3),
    "bones": ("people", 39, 3), "visible": ("people", 23), "shape": ("people", 6),
    "source": ("people",), "clip": ("people",),
}  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """Raw content, one row per image: the person that was detected, otherwise the first one.

    Attributes:
        skeleton: joint format of the detector.
        detected: pixels and confidence; zeros if no person was detected.
        matched: whether the detection is of this person.
        coco: surface points (`COCO_23`), camera frame, metres.
        bones: `joints.BONES`, camera frame, metres.
        visible: 0 outside of the image, 1 hidden, 2 visible, for each of `COCO_23`.
        focal: pixels; the principal point is the image centre.
        size: (width, height).
        shape: parameters of the body (`camerapose.data.render.bodies.SHAPE`).
        source: row of the posture in `anny_pairs.npz`.
        clip: name of its recording.
        people: number of people in the image.
    """

    skeleton: str
    detected: Float[np.ndarray, "n joints 3"]
    matched: Bool[np.ndarray, " n"]
    coco: Float[np.ndarray, "n 23 3"]
    bones: Float[np.ndarray, "n bones 3"]
    visible: UInt8[np.ndarray, "n 23"]
    focal: Float[np.ndarray, " n"]
    size: Float[np.ndarray, "n 2"]
    shape: Float[np.ndarray, "n 6"]
    source: Int[np.ndarray, " n"]
    clip: np.ndarray
    people: Int[np.ndarray, " n"]

    def rows(self, which: Bool[np.ndarray, " n"]) -> "Rendered":
        """Return some of the images."""
        columns = {k: v[which] for k, v in vars(self).items() if k != "skeleton"}
        return Rendered(skeleton=self.skeleton, **columns)

    @property
    def pixels(self) -> Float[np.ndarray, "n 23 2"]:
        """True 2D of `coco`, pixels."""
        return project(self.coco, self.focal[:, None, None], self.size[:, None])


def read_shard(images: Path, detections: Path) -> Rendered:
    """Return the content of one file of images and one of detections."""
    label = _with_types(read_arrays(images, LABELS), images)
    found = read_arrays(detections, {"detected": ("images", "joints", 3), "skeleton": ()})
    detected, skeleton = _floating(found["detected"]), str(found["skeleton"])
    image, n = label["image"], len(label["focal"])
    if skeleton not in joint_formats.FORMATS or detected.shape[:2] != (
        n, joint_formats.get(skeleton).n_joints
    ):  # fmt: skip
        raise ValueError(f"{detections}: the detections do not belong to {images}; delete both")
    check_rows(images, "image", image, n)
    if set(image.tolist()) != set(range(n)) or (np.diff(image) < 0).any():
        raise ValueError(f"{images}: people are not sorted by image, or an image has none")
    people = np.bincount(image, minlength=len(detected))
    focal, size = label["focal"][image], label["size"][image]
    pixels = project(label["coco"], focal[:, None, None], size[:, None])
    distance = _distance(detected[image], joint_formats.get(skeleton), pixels, label["visible"])
    # Of each image, the person nearest to the detection; people are sorted by image.
    order = np.lexsort((distance, image))
    rows = order[np.flatnonzero(np.diff(image[order], prepend=-1))]
    matched = distance[rows] < SAME_PERSON
    columns = {k: label[k][rows] for k in ("coco", "bones", "visible", "shape", "source", "clip")}
    return Rendered(
        skeleton=skeleton, detected=detected, matched=matched, focal=label["focal"],
        size=label["size"], people=people, **columns,
    )  # fmt: skip


def _with_types(label: dict[str, np.ndarray], images: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file of images; raise ValueError if one has another type."""
    kinds = {"image": "iu", "visible": "iu", "source": "iu", "clip": "U"}
    for name, column in label.items():
        if column.dtype.kind not in kinds.get(name, "fiu"):
            raise ValueError(f"{images}: {name} is of type {column.dtype}")
    if not ((label["visible"] >= 0) & (label["visible"] <= 2)).all():
        raise ValueError(f"{images}: visible has other values than 0, 1 and 2")
    floats = {name: _floating(column) for name, column in label.items() if name not in kinds}
    return {**label, **floats, "visible": label["visible"].astype(np.uint8)}


def _floating(column: np.ndarray) -> np.ndarray:
    return column if column.dtype.kind == "f" else column.astype(np.float64)


def _distance(detected, skeleton: Skeleton, pixels, visible) -> np.ndarray:
    """Return the median distance of detected to true limb joints (n,), relative to the person.

    The smaller one of two values, with the detection as it is and with left and right exchanged:
    a detector that confuses the sides has detected this person.
    """
    own = [skeleton.index(j) for j in LIMBS]
    given = detected[:, own]
    true = pixels[:, [COCO_23.index(j) for j in LIMBS]]
    inside = visible[:, [COCO_23.index(j) for j in LIMBS]] > 0
    inside &= given[..., 2].max(1, keepdims=True) > 0
    n = np.maximum(inside.sum(1), 1)
    medians = []
    for joints in (np.arange(len(LIMBS)), np.arange(len(LIMBS)) ^ 1):
        error = np.linalg.norm(given[:, joints, :2] - true, axis=-1)
        ordered = np.sort(np.where(inside, error, np.inf), 1)
        medians.append(ordered[np.arange(len(error)), (n - 1) // 2])
    return np.minimum(*medians) / person_size(pixels)


def person_size(pixels: Float[np.ndarray, "n joints 2"]) -> Float[np.ndarray, " n"]:
    """Return the size of people in pixels: the square root of the area of the joints' box.

    At least 0.45 times its longer side, since the box of a person in profile is narrow.
    """
    extent = np.ptp(pixels, axis=1)
    return np.sqrt(np.maximum(extent.prod(1), (0.45 * extent.max(1)) ** 2))


def project(points: np.ndarray, focal: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Project points of the camera frame to pixels; the principal point is the image centre."""
    return points[..., :2] / np.maximum(points[..., 2:], 0.01) * focal + size / 2


def concatenate(shards: list[Rendered]) -> Rendered:
    """Return the rows of all files."""
    columns = {
        name: np.concatenate([getattr(s, name) for s in shards])
        for name in Rendered.__dataclass_fields__
        if name != "skeleton"
    }
    return Rendered(skeleton=shards[0].skeleton, **columns)
