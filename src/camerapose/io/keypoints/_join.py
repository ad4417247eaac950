"""Join the people of several frames."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from camerapose.io.keypoints._identity import frame_numbers
from camerapose.io.keypoints._people import People


def join(parts: Sequence[People], images: Sequence[str]) -> People:
    """Return the people of several frames as one.

    Args:
        images: names of all frames, one per part, from which frames are numbered if the parts have
            no frame numbers.

    Raises:
        ValueError: parts differ in their number of joints.
    """
    filled = [part for part in parts if len(part)]
    if not filled:
        return replace(parts[0], skipped=_skipped(parts)) if parts else People(np.zeros((0, 0, 3)))
    shape = filled[0].keypoints.shape[1:]
    odd = next((part for part in filled if part.keypoints.shape[1:] != shape), None)
    if odd is not None:
        raise ValueError(
            f"{odd.place(0)}: got {odd.keypoints.shape[1]} joints, expected {shape[0]} as in the "
            "frames before; split the input by joint format"
        )
    first, lengths = filled[0], np.cumsum([0] + [len(part) for part in filled])

    def place(i: int) -> str:
        part = int(np.searchsorted(lengths, i, side="right")) - 1
        return filled[part].place(i - int(lengths[part]))

    frame, frames = first.frame, first.frames
    if first.frame is None:
        numbers = dict(zip(images, frame_numbers(None, images).tolist(), strict=True))
        frames = list(numbers.values())
        names = [image for part, image in zip(parts, images, strict=True) for _ in range(len(part))]
        frame = [numbers[name] for name in names]
    elif all(part.frame is not None for part in filled):
        frame = _concatenated([part.frame for part in filled])
    return replace(
        first,
        keypoints=np.concatenate([part.keypoints for part in filled]),
        place=place,
        image=_concatenated([part.image for part in filled]),
        frame=frame,
        frames=frames,
        person=_all_or_none([part.person for part in filled]),
        size=_all_or_none([part.size for part in filled]),
        time=_all_or_none([part.time for part in filled]),
        skipped=_skipped(parts),
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _concatenated(parts: Sequence[Any]) -> list[Any]:
    return [value for part in parts for value in part]


def _all_or_none(parts: Sequence[Any]) -> Any:
    if any(part is None for part in parts):
        return None
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return _concatenated(parts)


def _skipped(parts: Sequence[People]) -> dict[str, int]:
    reasons = dict.fromkeys(reason for part in parts for reason in part.skipped)
    return {r: sum(part.skipped.get(r, 0) for part in parts) for r in reasons}
