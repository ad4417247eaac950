"""YOLO pose labels: one text file per image with lines class, box, x, y (, visibility), ..."""

from pathlib import Path

import numpy as np

from camerapose.core import joint_formats
from camerapose.io.keypoints._content import Content, natural
from camerapose.io.keypoints._join import join
from camerapose.io.keypoints._people import People, with_scores
from camerapose.io.keypoints._sources import Source

DESCRIPTION = "YOLO pose labels, one .txt per image"
PER_FRAME = True
#: Joint format of the models.
JOINTS = ("coco_17",)
SOURCES = (
    Source(
        "Ultralytics", "8", "yolo pose predict save_txt=True (save_conf=True)",
        "0 to 1, needs --image-size; frames from file names; identities of yolo track",
    ),
    Source("Roboflow", "2024", "export as YOLO pose", "0 to 1, needs --image-size"),
)  # fmt: skip
#: Numbers before the keypoints: class and box.
HEAD = 5


def matches(content: Content) -> bool:
    """Return whether all numbers of a text file are in the layout of a pose label."""
    if content.files is not None:
        return _label_folder(content.path) is not None
    if content.text is None or content.path.suffix.lower() != ".txt":
        return False
    lines = [line.split() for line in content.text.splitlines() if line.strip()]
    try:
        return not lines or _layout(np.array(lines[0], float)[None]) is not None
    except ValueError:
        return False


def read(content: Content) -> People:
    """Read the labels of an image, or of a folder that contains `labels`."""
    if content.files is not None:
        folder = _label_folder(content.path)
        assert folder is not None
        paths = sorted(folder.glob("*.txt"), key=natural)
        return join([read(Content(path)) for path in paths], [path.stem for path in paths])
    text = content.path.read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        return People(np.zeros((0, 0, 3), np.float32))
    values = np.array(lines, np.float32)
    layout = _layout(values)
    if layout is None:
        raise ValueError(
            f"{content.path} has {values.shape[1]} numbers per line, expected class, box and x, y "
            "(and visibility) of every joint"
        )
    joints, width = layout
    keypoints = values[:, HEAD : HEAD + joints * width].reshape(len(values), joints, width)
    if width == 3:
        keypoints = keypoints.copy()
        if np.isin(keypoints[..., 2], (0, 1, 2)).all() and keypoints[..., 2].max() == 2:
            keypoints[..., 2] /= 2
    else:
        keypoints = with_scores(keypoints, (keypoints != 0).any(-1))
    extra = values[:, HEAD + joints * width :]
    return People(
        keypoints,
        place=lambda i: f"{content.path}, line {i + 1}",
        image=[content.path.stem] * len(values),
        person=[int(v) for v in extra[:, -1]] if _are_ids(extra) else None,
        usual=JOINTS,
        unit="unit",
    )


def _label_folder(path: Path) -> Path | None:
    """Return the folder with labels: this one, or `labels` in it."""
    for folder in (path, path / "labels"):
        first = next(iter(sorted(folder.glob("*.txt"), key=natural)), None)
        if first is not None and not any(folder.glob("*.json")) and matches(Content(first)):
            return folder
    return None


def _layout(values: np.ndarray) -> tuple[int, int] | None:
    """Return the number of joints and of numbers per joint; None if no joint format fits."""
    if values.shape[1] <= HEAD or values[:, 0].min() < 0 or (values[:, 0] % 1).any():
        return None
    if values[:, 1:HEAD].min() < -0.5 or values[:, 1:HEAD].max() > 1.5:
        return None
    counts = [17, *sorted({s.n_joints for s in joint_formats.FORMATS.values()} - {17})]
    for width in (3, 2):
        for extra in (0, 1, 2):  # confidence of the box, identity
            joints, rest = divmod(values.shape[1] - HEAD - extra, width)
            if rest == 0 and joints in counts:
                return joints, width
    return None


def _are_ids(extra: np.ndarray) -> bool:
    if not extra.shape[1]:
        return False
    return bool((extra[:, -1] % 1 == 0).all() and extra[:, -1].min() >= 1)
