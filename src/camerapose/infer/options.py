"""Options of prediction, for Python and for the command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from camerapose.core import joint_formats, plugins
from camerapose.core.limits import DEFAULT as LIMITS
from camerapose.infer import clip
from camerapose.io.runtime import check_device
from camerapose.io.weights import DEFAULT, find_weights

#: Receives one line of text at a time, such as `print`.
Log = Callable[[str], None]
#: Raises an exception to end a prediction.
Check = Callable[[], None]

#: Units of keypoint files.
UNITS = ("pixel", "unit", "percent", "symmetric", "corners")
#: Choices of people by name.
PEOPLE = ("largest", "longest", "left-to-right")
#: People per frame among whom those are chosen, unless max_people is given.
CANDIDATES = 8
#: Accepted values of numbers, inclusive.
RANGES = {
    "threads": (1, 1024), "max_people": (1, 1000), "min_frames": (1, 1_000_000_000),
    "smooth": (0, 1000), "slowmo": (0.01, 1000), "fill_gaps": (0, 3600),
    "start": (0, 1_000_000_000), "end": (1, 1_000_000_000), "stride": (1, 1_000_000_000),
}  # fmt: skip
#: Uses of the temporal model.
TEMPORAL = ("auto", "off", "centred", "causal")
#: Largest frame rate; largest focal length in pixels, as that of images.
MAX_FPS, MAX_PIXELS = 1_000_000, LIMITS.max_side

MaybeInt = Annotated[int | None, arg(metavar="INT", help_behavior_hint="")]
MaybeFloat = Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")]


@dataclass(frozen=True)
class PredictOptions:
    """Options of `camerapose.predict` and of the command `camerapose predict`.

    Values are checked on construction: ranges, names and the existence of weights.

    Raises:
        ValueError: a value is out of range, or an unknown name.
        FileNotFoundError: the weights do not exist.
    """

    # Long descriptions are one string each: tyro keeps the line breaks of a docstring.
    weights: Annotated[str | Path, arg(metavar="NAME|PATH")] = DEFAULT
    (
        "weights of the lifter: open; research or human36m, for research only; a run folder; a "
        "checkpoint folder; or an .onnx file"
    )
    detector: Annotated[str, arg(metavar="NAME")] = "blazepose"
    "2D detector for images and video: blazepose, heatmap or rtmlib"
    model: Annotated[str, arg(metavar="NAME|PATH")] = "auto"
    "model of the detector; auto is heavy for images and full for video"
    device: Annotated[str, arg(metavar="NAME")] = "cpu"
    (
        "device of the lifter and of the detectors heatmap and rtmlib: cpu, cuda, coreml, directml "
        "or openvino; blazepose always runs on the CPU"
    )
    threads: MaybeInt = None
    "number of processor threads (default: all cores; BlazePose: those idle at first)"
    max_people: Annotated[int, arg(metavar="INT")] = 1
    "maximum number of people per frame"
    people: Annotated[int | str | None, arg(metavar="WHICH", help_behavior_hint="")] = None
    (
        "people to keep: largest, longest (visible for most frames), left-to-right (all, numbered "
        "by position), or a number, for the most visible ones (default: all)"
    )
    min_frames: Annotated[int, arg(metavar="INT")] = 1
    "drop people who are detected in fewer frames of a video"
    start: MaybeInt = None
    "first frame, counted from 0"
    end: MaybeInt = None
    "frame after the last one"
    stride: Annotated[int, arg(metavar="INT")] = 1
    "use every n-th frame"
    skeleton: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")] = None
    "joint format of a keypoint file that does not name it, such as coco_17"
    image_size: Annotated[
        tuple[int, int] | None, arg(metavar="WIDTH HEIGHT", help_behavior_hint="")
    ] = None
    "image size in pixels of a keypoint file that does not contain it"
    unit: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")] = None
    (
        "unit of the coordinates in a keypoint file: pixel, unit (0 to 1), percent, symmetric (-1 "
        "to 1 over the width) or corners (-1 to 1 in both directions) (default: recognised)"
    )
    fps: MaybeFloat = None
    "frames per second of a keypoint file; sets the time of each frame"
    slowmo: Annotated[float, arg(metavar="FACTOR")] = 1.0
    "slow-motion factor of a recording, such as 8 for 240 frames/s played at 30; divides times"
    height: MaybeFloat = None
    (
        "body height in metres, which makes sizes and distances metric, and is an input of weights "
        "that accept it; 0 keeps the network's estimate (default: the median person is 1.70 m tall)"
    )
    focal: MaybeFloat = None
    "focal length of the camera in pixels (default: EXIF of photos, otherwise estimated)"
    static_camera: bool = False
    "the camera does not move: estimate its tilt and the floor, on which feet do not slide"
    smooth: MaybeFloat = None
    (
        "strength of temporal smoothing; 0 switches the optimisation over the frames off (default: "
        "1 for video and for keypoints with times, otherwise 0)"
    )
    temporal: Annotated[str, arg(metavar="NAME")] = "auto"
    (
        "use of the temporal model of the weights: off, centred (13 frames before and after each "
        "one) or causal (26 before); auto is centred for videos and keypoints with times, causal "
        "while a webcam runs, and off for weights without one"
    )
    fill_gaps: Annotated[float, arg(metavar="SECONDS")] = 0.0
    "interpolate gaps of up to this many seconds in the track of a person"
    export: Annotated[Sequence[str], arg(metavar="NAME ...", help_behavior_hint="")] = ()
    (
        "also write files for other programs: csv, csv_wide, parquet, kinematics (joint angles, "
        "gait), trc, mot and opensim (OpenSim), pose2sim (calibration), c3d (motion capture), bvh "
        "(Blender), gltf and usd (viewers, game engines)"
    )
    ground: bool = False
    (
        "align exported files, report and figures with gravity, with the origin on the floor, and "
        "draw the floor in the overlay; implies --static-camera"
    )
    overlay: bool = False
    "also write overlay.mp4, the video with the poses drawn on it"
    report: bool = False
    "also write report.html, an interactive 3D view with curves over time, and plots of the curves"
    show: bool = False
    "show frames, 3D poses and joint angles in a window while a webcam or video is read; q ends"
    figure: bool = True
    "draw image, 2D, 3D and reprojection"

    def __post_init__(self) -> None:
        if isinstance(self.export, str):
            raise ValueError(f"export is the text {self.export!r}; require a list of format names")
        object.__setattr__(self, "export", tuple(dict.fromkeys(self.export)))
        _check_numbers(self)
        _check_names(self)
        find_weights(self.weights)
        check_device(self.device)

    @property
    def people_per_frame(self) -> int:
        """Maximum number of people who are detected in a frame."""
        if self.people is None or self.max_people > 1:
            return self.max_people
        return CANDIDATES if self.people in PEOPLE else int(self.people)

    @staticmethod
    def from_dict(options: dict[str, Any]) -> "PredictOptions":
        """Create options from names and values; TypeError for an unknown name."""
        known = [field.name for field in fields(PredictOptions)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise TypeError(f"unknown option {', '.join(unknown)}; known are {', '.join(known)}")
        return PredictOptions(**options)


def _check_numbers(options: PredictOptions) -> None:
    start, end = options.start or 0, options.end
    if start < 0 or options.stride < 1 or (end is not None and end <= start):
        raise ValueError(
            f"no frames in start {start}, end {end}, stride {options.stride}; require "
            "0 <= start < end and stride >= 1"
        )
    for name, (minimum, maximum) in RANGES.items():
        value = getattr(options, name)
        if value is not None and not minimum <= value <= maximum:  # also NaN
            raise ValueError(f"{name} is {value}; require {minimum:g} to {maximum:g}")
    if options.fps is not None and not 0 < options.fps <= MAX_FPS:
        raise ValueError(
            f"fps is {options.fps}; require frames per second above 0, at most {MAX_FPS}"
        )
    if options.focal is not None and not 0 < options.focal <= MAX_PIXELS:
        raise ValueError(f"focal is {options.focal}; require pixels above 0, at most {MAX_PIXELS}")
    size = options.image_size
    if size is not None and not (min(size) >= 1 and max(size) <= MAX_PIXELS):
        raise ValueError(
            f"image_size is {size}; require width and height in pixels, at most {MAX_PIXELS}"
        )
    if options.height:
        clip.check_height(options.height)


def _check_names(options: PredictOptions) -> None:
    people = "1" if options.people is None else str(options.people)
    most = RANGES["max_people"][1]
    is_number = people.isascii() and people.isdecimal() and len(people) < 9
    if people not in PEOPLE and not (is_number and 1 <= int(people) <= most):
        raise ValueError(
            f"people is {people[:100]!r}; require {', '.join(PEOPLE)} or a number from 1 to {most}"
        )
    for kind, names in (("detectors", [options.detector]), ("exports", options.export)):
        for name in names:
            plugins.load(kind, name)
    if options.temporal not in TEMPORAL:
        raise ValueError(f"temporal is {options.temporal!r}; require {', '.join(TEMPORAL)}")
    if options.unit is not None and options.unit not in UNITS:
        raise ValueError(f"unit is {options.unit!r}; require {', '.join(UNITS)}")
    if options.skeleton is not None:
        joint_formats.get(options.skeleton)
