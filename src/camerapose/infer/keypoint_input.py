"""Read 2D keypoints that other programs wrote, select frames, and track people without identity."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from camerapose.core.camera import denormalize
from camerapose.core.poses import Poses
from camerapose.infer.detection import Detections, Person, correct_swaps
from camerapose.infer.options import Log, PredictOptions
from camerapose.io import keypoints as keypoint_files
from camerapose.io.source import Source
from camerapose.track.boxes import iou
from camerapose.track.identities import create_tracker

#: Frames are those of one video if people overlap (IoU) at least this much with a person of the
#: frame before, in the median.
MIN_OVERLAP = 0.3
#: Frames that are farther apart than this are not neighbours.
MAX_STEP = 5


def read_keypoints(source: Source, options: PredictOptions, log: Log) -> Detections:
    """Read the people in a keypoint file, or in a folder of keypoint files.

    If the frames are those of one video, people without identities are tracked, and left and right
    are exchanged where the program confused them for a few frames.

    Args:
        log: receives what was skipped, converted or assumed.

    Raises:
        ValueError: the file cannot be read, contains no image size and none is given, or has no
            people in the selected frames.
    """
    recording = keypoint_files.read_recording(
        source.path, options.skeleton, options.image_size, options.fps, options.unit
    )
    for message in recording.messages:
        log(message)
    poses = recording.poses
    if poses.image_size is None:
        raise ValueError(
            f"{source.title} contains no image size, which the camera estimate requires; "
            "pass image_size=(WIDTH, HEIGHT) or --image-size WIDTH HEIGHT"
        )
    poses, frames = _select(_labelled(poses), recording.frames, options, source.title)
    if options.slowmo != 1 and "time" not in poses.labels:
        raise ValueError(f"slowmo requires times, {source.title} has none; pass fps or --fps")
    size = np.asarray(poses.image_size)
    points = denormalize(poses.pose2d, size)
    labels = dict(poses.labels)
    related = are_related(points, poses.confidence > 0, labels["frame"])
    if related and not recording.identified:
        labels["person"] = identities(
            points, poses.confidence > 0, labels["frame"], labels["person"], options.fps
        )
    is_clip = (related or recording.identified) and len(np.unique(labels["frame"])) > 1
    if is_clip and "time" not in labels and options.smooth is None:
        log(
            "frame rate unknown: each frame is processed on its own; pass fps or --fps to process "
            "the frames of a video as a clip"
        )
    detections = Detections(
        skeleton=poses.skeleton,
        keypoints=points,
        confidence=poses.confidence,
        image_size=size,
        labels=labels,
        frames=(frames, np.zeros(len(frames)) if options.fps is None else frames / options.fps),
        from_images=False,
    )
    return correct_swaps(detections) if related else detections


def identities(
    points: Float[np.ndarray, "n joints 2"],
    visible: Bool[np.ndarray, "n joints"],
    frame: Int[np.ndarray, " n"],
    person: Int[np.ndarray, " n"],
    fps: int | float | None = None,
) -> Int[np.ndarray, " n"]:
    """Return identities of people that are only counted within each frame.

    Args:
        points: pixels.
        person: place within the frame; returned unchanged if no frame has two people.
        fps: frames per second; None: 30.
    """
    numbers = np.unique(frame)
    if person.max(initial=0) == 0 or len(numbers) < 2:
        return person
    boxes = _boxes(points, visible)
    tracker = create_tracker(2, float(fps or 30.0))
    if tracker is None:
        return person
    result = person.copy()
    for number, chosen in _rows_of(frame).items():
        people = [
            Person(points[i], visible[i].astype(np.float32), boxes[i], 1.0, int(person[i]))
            for i in chosen
        ]
        tracked = np.array(tracker(people, number / (fps or 30.0)), int)
        unknown = tracked < 0
        tracked[unknown] = 10**6 + np.flatnonzero(unknown)  # not tracked, but not the same person
        result[chosen] = tracked
    return result


def _boxes(points: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return boxes (n, 4) of the visible joints; zeros where there are none."""
    shown = np.where(visible[..., None], points, np.nan)
    boxes = np.zeros((len(points), 4))
    some = visible.any(axis=1)
    boxes[some, :2], boxes[some, 2:] = np.nanmin(shown[some], 1), np.nanmax(shown[some], 1)
    return boxes


def are_related(
    points: Float[np.ndarray, "n joints 2"],
    visible: Bool[np.ndarray, "n joints"],
    frame: Int[np.ndarray, " n"],
) -> bool:
    """Return whether people are mostly where a person was in the frame before."""
    boxes, rows = _boxes(points, visible), _rows_of(frame)
    numbers = sorted(rows)
    overlaps = []
    for before, after in zip(numbers, numbers[1:], strict=False):
        if after - before <= MAX_STEP:
            overlaps += [max(iou(boxes[i], boxes[j]) for j in rows[before]) for i in rows[after]]
    return bool(overlaps) and float(np.median(overlaps)) >= MIN_OVERLAP


def _rows_of(frame: Int[np.ndarray, " n"]) -> dict[int, np.ndarray]:
    """Return the rows of each frame."""
    order = np.argsort(frame, kind="stable")
    numbers, first = np.unique(frame[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, first[1:]), strict=True))


def _select(
    poses: Poses, frames: np.ndarray, options: PredictOptions, title: str
) -> tuple[Poses, np.ndarray]:
    """Select frames by their numbers."""
    start = int(frames[0]) if options.start is None else options.start
    chosen = frames[(frames >= start) & ((frames - start) % options.stride == 0)]
    if options.end is not None:
        chosen = chosen[chosen < options.end]
    if not len(chosen):
        raise ValueError(
            f"no frames in start {options.start}, end {options.end}; {title} has frames "
            f"{frames[0]} to {frames[-1]}"
        )
    return poses[np.isin(poses.labels["frame"], chosen)], chosen


def _labelled(poses: Poses) -> Poses:
    """Add the labels frame (by image, where frames are not numbered) and person."""
    labels = dict(poses.labels)
    if "frame" not in labels:
        images = labels.get("image", np.arange(len(poses)))
        _, first, inverse = np.unique(images, return_index=True, return_inverse=True)
        labels["frame"] = np.argsort(np.argsort(first))[inverse]
    if "person" not in labels:
        labels["person"] = keypoint_files.count_within(labels["frame"])
    return replace(poses, labels=labels)
