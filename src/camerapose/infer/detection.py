"""Read frames, detect people and track them."""

import inspect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from camerapose.core import plugins
from camerapose.core.skeleton import Skeleton
from camerapose.infer.options import PredictOptions
from camerapose.infer.search import MIN_SCORE, search
from camerapose.io.frames import Frame
from camerapose.io.resize import shrink
from camerapose.track.left_right import fix_left_right_swaps

#: Longer side in pixels of the largest image that a detector receives without downscaling.
MAX_DETECTOR_SIDE = 4096
#: Number of frames whose people are stored together.
BLOCK_FRAMES = 1000


class Person(NamedTuple):
    """One person detected in one frame.

    Attributes:
        keypoints: pixels of the frame.
        confidence: 0 to 1.
        box: x0, y0, x1, y1 in pixels; None if the detector reports none.
        score: confidence of the detection, 0 to 1.
        person: identity; from the detector, or from a tracker.
    """

    keypoints: Float[np.ndarray, "joints 2"]
    confidence: Float[np.ndarray, " joints"]
    box: Float[np.ndarray, "4"] | None
    score: float
    person: int


@dataclass(frozen=True)
class Detections:
    """2D keypoints of all people in the frames of a source, one row per person and frame.

    Attributes:
        skeleton: joint format of `keypoints`.
        keypoints: pixels; origin top left, x right, y down.
        confidence: 0 (missing) to 1 (certain).
        image_size: width and height in pixels.
        labels: frame, person, image and, for video, time; one value per row.
        frames: number and time in seconds of every frame that was read, with or without people.
        from_images: False if the keypoints were read from a file.
        swapped: number of rows in which left and right were exchanged.
        notes: messages about how people were detected.
        error: exception that ended reading before the end of the source.
    """

    skeleton: Skeleton
    keypoints: Float[np.ndarray, "n joints 2"]
    confidence: Float[np.ndarray, "n joints"]
    image_size: Float[np.ndarray, "n 2"]
    labels: dict[str, np.ndarray]
    frames: tuple[np.ndarray, np.ndarray]
    from_images: bool = True
    swapped: int = 0
    notes: tuple[str, ...] = ()
    error: BaseException | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(
        self, rows: slice | Bool[np.ndarray, " n"] | Int[np.ndarray, " rows"]
    ) -> "Detections":
        return replace(
            self,
            keypoints=self.keypoints[rows],
            confidence=self.confidence[rows],
            image_size=self.image_size[rows],
            labels={name: column[rows] for name, column in self.labels.items()},
        )

    @property
    def frames_with_people(self) -> int:
        """Number of frames in which at least one person was detected."""
        return len(np.unique(self.labels["frame"]))


def detect(
    frames: Iterator[Frame], detector: Any, consecutive: bool, notes: list[str] | None = None
) -> Iterator[tuple[Frame, list[Person]]]:
    """Detect people in each frame.

    Args:
        detector: see `camerapose.detect`.
        consecutive: the frames are those of one video, so that the detector may use the previous
            frame.
        notes: receives a message about each image whose people were only detected in rotated
            copies or in parts, which are searched if nobody is detected with a score of at least
            `search.MIN_SCORE`; None: these are not searched.
    """
    for frame in frames:
        image = shrink(frame.image, MAX_DETECTOR_SIDE)
        scale = np.float32(frame.image.shape[1] / image.shape[1])
        people = []
        detected = detector(image, track=consecutive)
        best = max((getattr(one, "score", 1.0) for one in detected), default=0.0)
        if best < MIN_SCORE and notes is not None and (result := search(detector, image)):
            view, found = result
            if found[0].score > best:
                detected = found[: getattr(detector, "max_people", None)]
                notes.append(f"{frame.name or 'image'}: people were only detected {view}")
        for place, individual in enumerate(detected):
            box = getattr(individual, "box", None)
            people.append(
                Person(
                    individual.keypoints * scale,
                    individual.confidence,
                    None if box is None else box * scale,
                    getattr(individual, "score", 1.0),
                    getattr(individual, "person", place),
                )
            )
        yield frame, people


def track(
    detected: Iterator[tuple[Frame, list[Person]]], tracker: Any
) -> Iterator[tuple[Frame, list[Person]]]:
    """Give the people of consecutive frames their identities; drop those that have none.

    Args:
        tracker: see `camerapose.track`; None keeps the identities of the detector.
    """
    for frame, people in detected:
        if tracker is not None:
            identities = tracker(people, frame.time)
            people = [
                person._replace(person=identity)
                for person, identity in zip(people, identities, strict=True)
                if identity >= 0
            ]
        yield frame, people


#: Is called with each frame, its people, and these as `Detections`.
Observer = Callable[[Frame, list[Person], Detections], None]


def collect(
    tracked: Iterator[tuple[Frame, list[Person]]],
    skeleton: Skeleton,
    *,
    timed: bool,
    observers: Sequence[Observer] = (),
    latest: int | None = None,
) -> Detections:
    """Collect the people of all frames. Images are not kept.

    If reading or detection fails or is interrupted after the first frame, the people up to there
    are returned together with the exception, in `Detections.error`.

    Args:
        skeleton: joint format of the detector.
        timed: the frames have times, which become a label.
        latest: number of frames, the last ones, that are kept; None: all. A note tells if there
            were more.
    """
    collected = _Collected(latest)
    error: BaseException | None = None
    try:
        for frame, people in tracked:
            part = one_frame(frame, people, skeleton, timed)
            collected.add(part)
            for observe in observers:
                observe(frame, people, part)
    except BaseException as reason:
        if not collected.count:
            raise
        error = reason
    if not collected.count:
        raise ValueError("the source has no frames")
    return replace(collected.result(), error=error)


class _Collected:
    """Detections frame by frame; in blocks, which take less memory than frames.

    Args:
        latest: see `collect`.

    Attributes:
        count: number of frames so far.
    """

    def __init__(self, latest: int | None):
        self.count = 0
        self._latest = latest
        self._blocks: deque[Detections] = deque()
        self._frames: list[Detections] = []

    def add(self, part: Detections) -> None:
        """Add the next frame."""
        self.count += 1
        self._frames.append(part)
        if len(self._frames) == BLOCK_FRAMES:
            self._blocks.append(_concatenated(self._frames))
            self._frames = []
            kept = BLOCK_FRAMES * (len(self._blocks) - 1)
            if self._latest is not None and kept >= self._latest:
                self._blocks.popleft()

    def result(self) -> Detections:
        """Return the frames that are kept."""
        every = _concatenated([*self._blocks, *self._frames])
        if self._latest is None or self.count <= self._latest:
            return every
        numbers, times = every.frames
        kept = every[every.labels["frame"] >= numbers[-self._latest]]
        note = f"only the last {self._latest} of {self.count} frames are kept and processed further"
        frames = numbers[-self._latest :], times[-self._latest :]
        return replace(kept, frames=frames, notes=(note,))


def correct_swaps(detections: Detections) -> Detections:
    """Exchange left and right where a detector confused them for a few frames of a video.

    Frames without times are those of 30 frames per second.
    """
    labels = detections.labels
    keypoints, confidence, swapped = fix_left_right_swaps(
        detections.keypoints,
        detections.confidence,
        labels["person"],
        labels.get("time", np.asarray(labels["frame"]) / 30.0),
        detections.skeleton,
    )
    return replace(detections, keypoints=keypoints, confidence=confidence, swapped=swapped)


def without_slow_motion(detections: Detections, factor: float) -> Detections:
    """Divide all times by the slow-motion factor of the recording."""
    labels = dict(detections.labels)
    if "time" in labels:
        labels["time"] = labels["time"] / factor
    numbers, times = detections.frames
    return replace(detections, labels=labels, frames=(numbers, times / factor))


#: Returns a detector for some options, for consecutive frames or single images.
LoadDetector = Callable[[PredictOptions, bool], Any]


def load_detector(options: PredictOptions, consecutive: bool) -> Any:
    """Load the 2D detector. The model "auto" of BlazePose is heavy for images, full for video."""
    arguments: dict[str, Any] = {
        "max_people": options.people_per_frame, "threads": options.threads
    }  # fmt: skip
    if options.model != "auto":
        arguments["model"] = options.model
    elif options.detector == "blazepose":
        arguments |= {"model": "full"} if consecutive else {"model": "heavy", "fallback": True}
    detector = plugins.load("detectors", options.detector).Detector
    if "device" in inspect.signature(detector).parameters:
        arguments["device"] = options.device
    return detector(**arguments)


def one_frame(frame: Frame, people: list[Person], skeleton: Skeleton, timed: bool) -> Detections:
    n = len(people)
    height, width = frame.image.shape[:2]
    labels = {
        "frame": np.full(n, frame.index),
        "person": np.array([person.person for person in people], int),
        "image": np.full(n, frame.name),
    }
    if timed:
        labels["time"] = np.full(n, frame.time)
    shape = (0, skeleton.n_joints)
    return Detections(
        skeleton=skeleton,
        keypoints=np.stack([p.keypoints for p in people]) if people else np.zeros((*shape, 2)),
        confidence=np.stack([p.confidence for p in people]) if people else np.zeros(shape),
        image_size=np.full((n, 2), (width, height), float),
        labels=labels,
        frames=(np.array([frame.index]), np.array([frame.time])),
    )


def _concatenated(parts: list[Detections]) -> Detections:
    some = [part for part in parts if len(part)] or parts[:1]
    return Detections(
        skeleton=parts[0].skeleton,
        keypoints=np.concatenate([part.keypoints for part in some]),
        confidence=np.concatenate([part.confidence for part in some]),
        image_size=np.concatenate([part.image_size for part in some]),
        labels={
            name: np.concatenate([part.labels[name] for part in some]) for name in some[0].labels
        },
        frames=(
            np.concatenate([part.frames[0] for part in parts]),
            np.concatenate([part.frames[1] for part in parts]),
        ),
    )
