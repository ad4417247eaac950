"""The detector `blazepose`: person search, landmarks, and tracking over frames."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from camerapose.detect._base import Detection, check_image, check_max_people
from camerapose.detect.blazepose.crop import Roi
from camerapose.detect.blazepose.landmarks import LandmarkDetector, Pose
from camerapose.detect.blazepose.networks import landmark_file
from camerapose.detect.blazepose.people import SAME_REGION, PersonDetector, tiles
from camerapose.track.boxes import iou

MODELS = ("full", "heavy")
#: Mean confidence of the landmarks below the head, below which a pose is rejected.
MIN_SCORE = 0.4
#: Overlap (IoU) above which two poses are of the same person.
SAME_BODY = 0.6
#: Overlap of regions above which a new detection continues a person lost in the last frame.
SAME_TRACK = 0.3
#: Smallest part of an image, pixels, that is searched separately.
MIN_TILE = 112
#: Number of frames between searches for more people and for small people.
SEARCH_INTERVAL = 10
#: By default.
MAX_THREADS = 8


class Detector:
    """Detect people and their 33 landmarks.

    Args:
        model: "full" (fast, for video) or "heavy" (the most accurate).
        max_people: number of people to return, the most prominent (area of the crop times score)
            first.
        threads: of LiteRT; None: as many as idle processor cores, 1 to `MAX_THREADS`, see
            `idle_cores`.
        fallback: use "full", with a warning, if "heavy" cannot be downloaded.

    Raises:
        ValueError: unknown model, or `max_people` below 1.
        FileNotFoundError: a model file cannot be downloaded (see `camerapose.io.assets`).
    """

    skeleton = "blazepose_33"

    def __init__(
        self,
        model: str = "full",
        *,
        max_people: int = 1,
        threads: int | None = None,
        fallback: bool = False,
    ):
        if model not in MODELS:
            raise ValueError(f"unknown BlazePose model {model!r}; choose from {', '.join(MODELS)}")
        check_max_people(max_people)
        threads = threads or max(1, min(MAX_THREADS, idle_cores()))
        self.model, path = landmark_file(model, fallback)
        self.max_people = max_people
        self._find_people = PersonDetector(threads)
        self._find_landmarks = LandmarkDetector(path, threads)
        self.reset()

    def reset(self) -> None:
        """Forget the tracked people; call it before another video."""
        self._previous: list[Pose] = []
        self._next_person = 0
        self._frame = 0

    def __call__(self, image: np.ndarray, *, track: bool = False) -> list[Detection]:
        """Detect people in one image, the most prominent first.

        Args:
            image: uint8 (height, width, 3) RGB.
            track: take each person's crop from the last frame. People are searched for if a
                person is lost or none is tracked, and every `SEARCH_INTERVAL` frames while there
                are fewer than `max_people`.

        Raises:
            ValueError: the image has another type or shape.
        """
        check_image(image)
        if not track:
            self.reset()
        people: list[Pose] = []
        for person, roi in self._candidates(image, people):
            pose = self._find_landmarks(image, roi)
            if person is None and pose is not None and pose.detection.score > MIN_SCORE / 2:
                # Landmarks determine the crop more accurately than the person detection.
                again = self._find_landmarks(image, pose.roi)
                pose = max(pose, again or pose, key=lambda p: p.detection.score)
            if pose is None or pose.detection.score < MIN_SCORE:
                continue
            if any(iou(pose.detection.box, p.detection.box) > SAME_BODY for p in people):
                continue
            person = self._identity(pose, people) if person is None else person
            people.append(Pose(replace(pose.detection, person=person), pose.roi))
            if len(people) == self.max_people:
                break
        self._previous = people
        self._frame += 1
        return [pose.detection for pose in people]

    def _candidates(
        self, image: np.ndarray, people: Sequence[Pose]
    ) -> Iterator[tuple[int | None, Roi]]:
        """Yield identity and region of the tracked people, then regions of a search.

        Args:
            people: those detected so far in this image; grows during the iteration.
        """
        yield from [(pose.detection.person, pose.roi) for pose in self._previous]
        due = self._frame % SEARCH_INTERVAL == 0
        height, width = image.shape[:2]
        short = min(width, height)
        levels = []
        if due or not people or len(people) < len(self._previous):
            levels.append([(0, 0, width, height)])
            if short >= MIN_TILE:
                levels[-1] += tiles(width, height, short)
        if due and short >= 2 * MIN_TILE:
            levels.append(tiles(width, height, short // 2))
        for parts in levels:
            for roi in self._find_people(image, parts):
                if all(iou(roi.bounds(), p.roi.bounds()) <= SAME_REGION for p in people):
                    yield None, roi

    def _identity(self, pose: Pose, people: Sequence[Pose]) -> int:
        """Return the number of a person who was lost in the last frame, or a new number."""
        taken = {p.detection.person for p in people}
        for previous in self._previous:
            near = iou(pose.roi.bounds(), previous.roi.bounds()) > SAME_TRACK
            if near and previous.detection.person not in taken:
                return previous.detection.person
        self._next_person += 1
        return self._next_person - 1


def idle_cores() -> int:
    """Return the number of processor cores without work in the last minute, as far as known.

    LiteRT's threads wait busily for each other: as many as cores take several times the processor
    time, and longer, if the cores have other work.

    It is read once, when a detector is created, which a batch does once per process. LiteRT cannot
    change the number of threads later. A new detector would (it takes less than half a second),
    but the load includes the work of this program, whose own threads would count as other work:
    predictions that follow each other would alternate between many threads and few. For the same
    reason, a job of the server gets fewer threads if it starts within a minute after another. Set
    the number of threads where the load changes during a long video.
    """
    cores = os.cpu_count() or 1
    try:
        return cores - round(os.getloadavg()[0])
    except (AttributeError, OSError):  # not on Windows
        return cores - 1
