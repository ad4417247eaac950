"""Files to files: images, a video, a webcam or keypoints in; 3D poses and pictures out."""

import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

from camerapose.core import formats, plugins
from camerapose.core.anatomy import DEFAULT_HEIGHT
from camerapose.core.camera import denormalize
from camerapose.core.ground import Ground
from camerapose.core.poses import Poses
from camerapose.core.skeleton import Skeleton
from camerapose.infer import clip
from camerapose.infer.live import LiveSmoother
from camerapose.infer.predictor import MIN_JOINTS, PoseWarning, Predictor, outside
from camerapose.io import keypoints as keypoint_files
from camerapose.io import results
from camerapose.io.export import movements
from camerapose.io.frames import Frame, SourceInfo
from camerapose.io.resize import shrink
from camerapose.io.source import Input, Source
from camerapose.track.identities import create_tracker
from camerapose.track.swaps import fix_left_right_swaps

__all__ = ["Predictor", "predict"]

#: People that are lifted at once.
BATCH = 64
#: Joints that refinement moves by less (pixels) were not refined.
LEAST_MOVED = 1e-2
#: Moments of a video in its picture, and images of a folder that get one.
ROWS, MOST_PICTURES = 5, 20
#: Longer side, pixels, of the frames that are kept for the picture.
KEPT_PIXELS = 1600
#: Longer side, pixels, of the largest image that is given to a detector as it is.
LARGEST = 4096


def predict(
    input: Input,
    out: str | os.PathLike,
    *,
    weights: str | os.PathLike = "default",
    detector: str = "blazepose",
    model: str = "auto",
    skeleton: str | None = None,
    image_size: tuple[int, int] | None = None,
    max_people: int = 1,
    start: int | None = None,
    end: int | None = None,
    stride: int = 1,
    height: float | None = None,
    focal: float | None = None,
    static_camera: bool = False,
    smooth: float | None = None,
    fill_gaps: float = 0.0,
    export: Sequence[str] = (),
    ground: bool = False,
    overlay: bool = False,
    report: bool = False,
    picture: bool = True,
    threads: int | None = None,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Poses:
    """Lift images, a video, a webcam's pictures or keypoints, and write what was found.

    Writes `poses.npz` (see `Poses.load`), `poses.json` and pictures. Video is
    streamed. If the input breaks in the middle, or the user interrupts, what was done is written
    first and the error raised then. Of a webcam, which only an interruption ends, `poses.jsonl`
    is written while people move, a line a pose, smoothed by `LiveSmoother`.

    Args:
        input: a path; a pattern, such as `photos/*.jpg`; several images; a webcam's number. See
            `camerapose.io.source.Source.open`.
        out: a folder; made if it is not there.
        weights: see `Predictor`.
        detector: the plug-in that finds 2D keypoints; not used for keypoints.
        model: the detector's model; "auto" takes BlazePose's heavy for images, full for video.
        skeleton: joint format of keypoints where their file doesn't say it.
        image_size: (width, height) of keypoints' images where their file doesn't say it.
        max_people: in one frame.
        start, end, stride: which frames, as in `range`.
        height: of the people, metres: makes place and size metric. None: all are scaled alike, to
            `anatomy.DEFAULT_HEIGHT` in the median; 0: what the network guesses.
        focal: of the camera, pixels, where it is known; of photos their EXIF is asked first.
        static_camera: the camera stands still: one focal length for all frames.
        smooth: how strongly people's movement is smoothed (`clip.smooth`); 0 leaves every frame
            by itself. None: 1 for a video and for keypoints with times, else 0: other keypoints
            may be of pictures that have nothing to do with each other.
        fill_gaps: absences of a person of at most so many seconds are filled in, with poses whose
            label `filled` is true (`clip.fill_gaps`).
        export: formats for other programs (`camerapose.io.export`): csv, trc, c3d, bvh, gltf; one
            file a person.
        ground: in these files people stand upright on a floor, whichever way the camera looks
            (`clip.estimate_ground`); for a camera that keeps still.
        overlay: also write `overlay.mp4`, the video with the poses drawn on it.
        report: also write `report.html`: 3D to turn and play, and curves over time.
        picture: draw CameraPose's Fig. 8: of an image, of a folder's first images
            (`MOST_PICTURES`), of `ROWS` moments of a video.
        progress: show a progress bar on a terminal.
        say: is given a line of text now and then.

    Returns:
        All poses, with labels frame, person, image and (video) time; none if nobody was found.

    Raises:
        FileNotFoundError, ValueError: the input, the weights or a setting can't be used.
        OSError: the folder can't be written.
    """
    out = Path(out)
    writers = [plugins.load("exports", name) for name in export]
    source = Source.open(input)
    kind, video = source.kind, source.is_video
    if overlay and kind != "video":
        raise ValueError(f"an overlay is made of a video, and {source.title} is none; leave it out")
    if ground and not writers:
        raise ValueError("ground says how files for other programs stand; export some, such as bvh")
    info = source.info()
    predictor = Predictor(weights, threads=threads)
    _make_folder(out)
    live = _Live(out / "poses.jsonl", smooth) if kind == "webcam" else None
    work = _Work(predictor, live, video=kind == "video")
    album = _Album()
    trouble = None
    try:
        if kind == "keypoints":
            _lift_keypoints(source.path, work, skeleton, image_size, slice(start, end, stride))
        else:
            shots = source.frames(start=start, end=end, stride=stride)
            finder = _detector(detector, model, max_people, video, threads)
            rate = info.fps / stride if info and info.fps else None
            who = create_tracker(max_people, rate) if video else None
            bar = tqdm(shots, total=_count(info, start, end, stride), unit="frame",
                       disable=None if progress else True)  # fmt: skip
            _lift_frames(bar, finder, work, album, who, video)
        work.finish()
    except BaseException as error:
        if not work.frames:  # broken from the start: nothing to save
            raise
        ended = kind == "webcam" and isinstance(error, KeyboardInterrupt)
        trouble = None if ended else error
        work.finish()
    poses = work.poses()
    clock = work.clock() if video else None
    if len(poses):
        poses = clip.average_camera(poses)
        if focal is None and kind in ("image", "images"):
            focal = _told_focal(poses, source, say)
        if focal is not None:
            poses = clip.set_focal_length(poses, focal)
        elif static_camera:
            poses = clip.static_camera(poses)
        if fill_gaps > 0:
            poses = _named(clip.fill_gaps(poses, fill_gaps, clock=clock), source if video else None)
        if smooth is None:
            smooth = 1.0 if video or "time" in poses.labels else 0.0
        poses = clip.smooth(poses, strength=smooth)
        if height is None:
            guess = clip.median_height(poses)
            if np.isfinite(guess):
                say(
                    f"nobody told how tall people are: {DEFAULT_HEIGHT:.2f} m is assumed "
                    f"(the network's guess is {guess:.2f} m); give a height"
                )
            poses = clip.set_median_height(poses)
        elif height:
            poses = clip.set_height(poses, height)
    for line in work.report(poses):
        say(line)
    files = [live.path] if live else []
    arrays, text = out / "poses.npz", out / "poses.json"
    files.append(_write(arrays, lambda: poses.save(arrays, **work.detected(poses))))
    files.append(_write(text, lambda: results.write_json(poses, text)))
    floor = clip.estimate_ground(poses) if ground and len(poses) else None
    if floor is not None:
        say(_stands(floor))
    files += _exported(poses, out, writers, floor)
    if report and len(poses):
        from camerapose.view.report import write_report

        page = out / "report.html"
        files.append(_write(page, lambda: write_report(poses, page, source.title)))
    if overlay:
        from camerapose.view.overlay import write_overlay

        path = out / "overlay.mp4"
        part = dict(start=start, end=end, stride=stride, progress=progress)
        files.append(_write(path, lambda: write_overlay(poses, source, path, **part)))
    if picture and len(poses):
        files += _draw(poses, source, out, album)
    say("wrote " + ", ".join(str(file) for file in files))
    if trouble is not None:
        raise trouble
    return poses


def _told_focal(poses: Poses, source: Source, say: Callable[[str], None]) -> Any:
    """Focal lengths (n, 2) in pixels that photos tell, where they don't the predicted; or None."""
    names = poses.labels["image"]
    told = {str(name): source.focal_length(str(name)) for name in np.unique(names)}
    known = {name: value for name, value in told.items() if value}
    if not known:
        return None
    name, pixels = next(iter(known.items()))
    say(f"focal length from EXIF of {_n(len(known), 'image')}: {name} {pixels:.0f} pixels")
    focal = poses.camera.in_pixels(poses.image_size).focal.copy()
    for i, name in enumerate(names):
        if str(name) in known:
            focal[i] = known[str(name)]
    return focal


def _named(poses: Poses, video: Source | None) -> Poses:
    """With image names of the frames in the rows that were filled in."""
    filled = np.flatnonzero(poses.labels["filled"])
    if video is None or not len(filled):
        return poses
    names = poses.labels["image"].astype(object)
    frames = poses.labels["frame"][filled]
    names[filled] = [video.frame_name(int(frame)) for frame in frames]
    return replace(poses, labels={**poses.labels, "image": names.astype(str)})


class _Live:
    """Writes people while they move: a line of JSON a pose, each as soon as it is known."""

    def __init__(self, path: Path, strength: float | None):
        self.path = path
        self._smooth = LiveSmoother(1.0 if strength is None else strength)
        _write(path, lambda: path.write_text("", encoding="utf-8"))

    def __call__(self, poses: Poses) -> None:
        """The people of one frame."""
        calm = self._smooth(poses, float(poses.labels["time"][0]))
        with open(self.path, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in results.rows(calm))


class _Work:
    """People found so far, lifted in batches.

    Those of a video all at its end, once it is known which side is which; frame by frame where
    somebody waits for them.
    """

    def __init__(self, predictor: Predictor, live: _Live | None = None, video: bool = False):
        self.predictor = predictor
        self._live, self._video, self._clock = live, video, ([], [])
        self.mirrored = 0
        self.frames = self.with_people = self.left_out = self.outside = 0
        self._began = time.monotonic()
        self._waiting: list[dict[str, Any]] = []
        self._parts: list[Poses] = []
        self._detected: list[tuple[np.ndarray, np.ndarray]] = []
        self._format = ""

    def add(
        self, frame: Frame, people: Sequence[Any], numbers: Sequence[int], skeleton: str,
        video: bool, scale: float = 1.0,
    ) -> None:  # fmt: skip
        """The people that a detector found in a frame shrunk by `scale`, and their numbers."""
        height, width = frame.image.shape[:2]
        self.frames += 1
        self._clock[0].append(frame.index)
        self._clock[1].append(frame.time)
        self.with_people += bool(people)
        self._format = skeleton
        for person, number in zip(people, numbers, strict=True):
            labels = {"frame": frame.index, "person": number, "image": frame.name}
            if video:
                labels["time"] = frame.time
            self._waiting.append(
                {"keypoints": person.keypoints * np.float32(scale), "confidence": person.confidence,
                 "size": (width, height), "labels": labels}
            )  # fmt: skip
        if not self._video and len(self._waiting) >= (1 if self._live else BATCH):
            self.finish()

    def clock(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and times of the frames that were looked at."""
        return np.array(self._clock[0]), np.array(self._clock[1])

    def finish(self) -> None:
        """Lift those who wait."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        points, sure, size = (np.stack([row[name] for row in waiting])
                              for name in ("keypoints", "confidence", "size"))  # fmt: skip
        names = waiting[0]["labels"]
        labels = {name: np.array([row["labels"][name] for row in waiting]) for name in names}
        if self._video:
            points, sure, self.mirrored = fix_left_right_swaps(
                points, sure, labels["person"], labels["time"], formats.get(self._format)
            )
        for first in range(0, len(waiting), BATCH):
            part = slice(first, first + BATCH)
            own = {name: column[part] for name, column in labels.items()}
            lifted = self.lift(points[part], sure[part], size[part], self._format, own)
            self._detected.append((points[part][lifted], sure[part][lifted]))

    def lift(
        self, keypoints: Any, confidence: Any, size: Any, skeleton: str | Skeleton, labels: Any
    ) -> Bool[np.ndarray, " n"]:
        """Lift those of whom enough is seen; tells who they were."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PoseWarning)  # `report` tells it once for all
            good = self.predictor.usable(keypoints, confidence, skeleton)
            poses = self.predictor(
                keypoints[good], confidence[good], image_size=size[good], skeleton=skeleton
            )
        points = denormalize(poses.pose2d, poses.image_size)
        self.outside += int(outside(points, poses.image_size).sum())
        self.left_out += int((~good).sum())
        labels = {name: np.asarray(column)[good] for name, column in labels.items()}
        self._parts.append(replace(poses, labels=labels))
        if self._live and len(poses):
            self._live(self._parts[-1])
        return good

    def poses(self) -> Poses:
        if self._parts:
            return Poses.cat(self._parts)
        joints = self.predictor.skeleton.n_joints
        return self.predictor(
            np.zeros((0, joints, 2)), image_size=(1, 1), skeleton=self.predictor.skeleton
        )

    def detected(self, poses: Poses) -> dict[str, Any]:
        """What the detector found, in its own joints and in pixels, row by row of the poses.

        Zeros in rows that were filled in.
        """
        if not self._detected:
            return {}
        points, confidence = (np.concatenate(part) for part in zip(*self._detected, strict=True))
        if "filled" in poses.labels:
            found = np.flatnonzero(~poses.labels["filled"])
            points, confidence = (
                _spaced(column, found, len(poses)) for column in (points, confidence)
            )
        return {"detected_keypoints": points, "detected_confidence": confidence,
                "detected_skeleton": self._format}  # fmt: skip

    def report(self, poses: Poses) -> Iterator[str]:
        seconds = time.monotonic() - self._began
        n, rate = len(poses), self.frames / seconds
        yield (
            f"{_n(self.frames, 'frame')} in {seconds:.1f} s ({rate:.1f} a second), "
            f"{self.with_people} of them with somebody: {_n(n, 'pose')}"
        )
        if self.mirrored:
            yield f"left and right exchanged, as the frames around have them, in {self.mirrored}"
        if self.left_out:
            yield (
                f"{_n(self.left_out, 'person', 'people')} left out: fewer than {MIN_JOINTS} joints "
                "were seen of them"
            )
        if self.outside:
            yield (
                f"{_n(self.outside, 'pose')} wholly outside the image: is the image size right? "
                "Their 3D is a guess"
            )
        yield from _gaps(poses)
        if n:
            yield _moved(poses)
            yield f"mean reprojection error {poses.reprojection_error.mean():.1f} px"
        else:
            yield "nobody was found, so the files hold no poses"


def _spaced(column: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Values in some of n rows, zeros in the others."""
    whole = np.zeros((n, *column.shape[1:]), column.dtype)
    whole[rows] = column
    return whole


def _gaps(poses: Poses) -> Iterator[str]:
    """A line about absences that were filled in."""
    filled = poses.labels.get("filled")
    if filled is not None:
        yield f"{_n(int(filled.sum()), 'pose')} filled in where a person was not seen"


def _moved(poses: Poses) -> str:
    """How far the refinement network moved the joints that were seen."""
    moved, names = poses.refinement, poses.skeleton.joints
    mean = [np.nanmean(column) if np.isfinite(column).any() else 0.0 for column in moved.T]
    if max(mean) < LEAST_MOVED:
        return "no refinement: these weights take the 2D as it is"
    far = int(np.argmax(mean))
    return (
        f"refinement moved joints by {np.nanmean(moved):.1f} px on average, "
        f"{names[far]} most ({mean[far]:.1f} px)"
    )


class _Album:
    """Some frames of a video of unknown length, evenly spread over what has been seen of it."""

    def __init__(self, most: int = 12):
        self.images: dict[int, np.ndarray] = {}
        self._most, self._step, self._count = most, 1, 0

    def offer(self, frame: Frame) -> None:
        if self._count % self._step == 0:
            self.images[frame.index] = shrink(frame.image, KEPT_PIXELS)
        self._count += 1
        if len(self.images) > self._most:  # keep every other one from now on
            self._step *= 2
            self.images = dict(list(self.images.items())[::2])


def _lift_frames(
    frames: Iterable, detector: Any, work: _Work, album: _Album, identities: Any, video: bool
) -> None:
    for frame in frames:
        image = shrink(frame.image, LARGEST)
        scale = frame.image.shape[1] / image.shape[1]
        people = detector(image, track=video)
        if identities is None:
            numbers = [getattr(person, "person", place) for place, person in enumerate(people)]
        else:
            numbers = identities(people, frame.time)
            people = [p for p, number in zip(people, numbers, strict=True) if number >= 0]
            numbers = [number for number in numbers if number >= 0]
        work.add(frame, people, numbers, detector.skeleton, video, scale)
        if video and people:
            album.offer(frame)


def _lift_keypoints(
    path: Path, work: "_Work", skeleton: str | None, image_size: Any, chosen: slice
) -> None:
    """Lift people whose 2D somebody else's program has found."""
    given = keypoint_files.read(path, skeleton=skeleton, image_size=image_size)
    if given.image_size is None:
        raise ValueError(
            f"{path} does not say how large its images are, and without that the camera can't be "
            "predicted; give --image-size WIDTH HEIGHT."
        )
    given = _numbered(given)
    frames = np.unique(given.labels["frame"])[chosen]
    given = given[np.isin(given.labels["frame"], frames)]
    work.frames = work.with_people = len(frames)
    points = denormalize(given.pose2d, given.image_size)
    work.lift(points, given.confidence, given.image_size, given.skeleton, given.labels)


def _numbered(poses: Poses) -> Poses:
    """The same with labels frame (by image, where frames are not numbered) and person."""
    labels = dict(poses.labels)
    if "frame" not in labels:
        images = labels.get("image", np.arange(len(poses)))
        _, first, inverse = np.unique(images, return_index=True, return_inverse=True)
        labels["frame"] = np.argsort(np.argsort(first))[inverse]
    if "person" not in labels:
        seen: dict[Any, int] = {}
        numbers = []
        for frame in labels["frame"].tolist():
            numbers.append(seen.get(frame, 0))
            seen[frame] = numbers[-1] + 1
        labels["person"] = np.array(numbers, dtype=int)
    return replace(poses, labels=labels)


def _detector(name: str, model: str, max_people: int, video: bool, threads: int | None) -> Any:
    arguments: dict[str, Any] = {"max_people": max_people, "threads": threads}
    if model != "auto":
        arguments["model"] = model
    elif name == "blazepose":
        arguments |= {"model": "full"} if video else {"model": "heavy", "fallback": True}
    return plugins.load("detectors", name).Detector(**arguments)


def _count(info: SourceInfo | None, start: int | None, end: int | None, stride: int) -> int | None:
    if info is None or info.n_frames is None:
        return None if end is None else len(range(start or 0, end, stride))
    return len(range(start or 0, min(end or info.n_frames, info.n_frames), stride))


# --- results ------------------------------------------------------------------------------------


def _draw(poses: Poses, source: Source, out: Path, album: _Album) -> list[Path]:
    """The pictures of a run; their paths."""
    from camerapose.view.frames import draw_frames
    from camerapose.view.layout import save_figure
    from camerapose.view.rows import Row, time_label

    frames = poses.labels["frame"]
    if source.is_video:
        shown = [index for index in album.images if (frames == index).any()]
        rows = [
            Row(
                poses[frames == index], album.images[index],
                time_label(float(poses.labels["time"][frames == index][0])),
            )
            for index in _spread(shown)
        ]  # fmt: skip
        pages = {out / "poses.png": rows}
    elif source.kind == "keypoints":
        rows = [Row(poses[frames == i], None, _name(poses, i)) for i in
                _spread(np.unique(frames).tolist())]  # fmt: skip
        pages = {out / "poses.png": rows}
    else:
        pages = {}
        for index in np.unique(frames)[:MOST_PICTURES]:
            name = str(poses.labels["image"][frames == index][0])
            image = source.read(name)
            path = out / f"{Path(name).with_suffix('').as_posix().replace('/', '_')}_poses.png"
            pages[path] = [Row(poses[frames == index], shrink(image, KEPT_PIXELS), name)]
    return [
        _write(path, lambda: save_figure(draw_frames(rows), path))  # noqa: B023
        for path, rows in pages.items()
        if rows
    ]


def _name(poses: Poses, frame: int) -> str:
    """What a row of keypoints without a picture is called: its image, or its frame."""
    names = poses.labels.get("image")
    name = "" if names is None else str(names[poses.labels["frame"] == frame][0])
    return name or f"frame {frame}"


def _spread(values: Sequence[int]) -> list[int]:
    """At most `ROWS` of them, evenly spread: the middles of as many equal parts."""
    n = min(ROWS, len(values))
    return [values[int((i + 0.5) * len(values) / n)] for i in range(n)]


# --- writing ------------------------------------------------------------------------------------


def _make_folder(out: Path) -> None:
    """Make the folder and see that it can be written, before anything long begins."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".camerapose"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"{out} can't be used as the output folder ({error.strerror or error}); "
            "give another with --out."
        ) from error


def _write(path: Path, act: Callable[[], Any]) -> Path:
    """Do what writes `path`; a failure says which file and leaves no half one."""
    try:
        act()
    except OSError as error:
        path.with_name(path.name + ".part").unlink(missing_ok=True)
        raise OSError(
            f"{path} can't be written ({error.strerror or error}). Files written before are whole; "
            "make room, or give another folder with --out."
        ) from error
    return path


def _stands(floor: Ground) -> str:
    """How the camera stands, by the floor below it."""
    pitch, roll = round(floor.pitch), round(floor.roll)
    way = "down" if pitch >= 0 else "up"
    return (
        f"people stand upright if the camera looks {way} by {abs(pitch)} degrees, is rolled by "
        f"{roll}, and {floor.camera_height:.2f} m above the floor"
    )


def _exported(poses: Poses, out: Path, writers: Sequence[Any], floor: Ground | None) -> list[Path]:
    """Each person's movement in each format; the files."""
    files = []
    people = movements(poses, ground=floor) if writers and len(poses) else {}
    for person, movement in people.items():
        name = "poses" if len(people) == 1 else f"poses_{person}"
        for writer in writers:
            path = out / f"{name}{writer.EXTENSION}"
            files.append(_write(path, lambda: writer.write(path, movement)))  # noqa: B023
    return files


def _n(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
