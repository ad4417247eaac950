"""RTMPose and RTMO of MMPose by the package rtmlib: several people in an image.

    camerapose predict street.mp4 --out result --detector rtmlib --max-people 4
    camerapose predict street.mp4 --out result --detector rtmlib --model rtmo-s.onnx

Jiang et al., "RTMPose", 2023; Lu et al., "RTMO", CVPR 2024. The model is a name, whose files rtmlib
downloads once, or an .onnx file in MMPose's layout: RTMO (boxes and keypoints of all people), or
RTMPose (a crop of one person to SimCC rows and columns), which needs another network that detects
people. A .toml file with the name of the model changes these default settings:

    skeleton = ""      # joint format; by default coco_17 for 17 joints, halpe_26 for 26
    people = ""        # .onnx file of YOLOX, next to it, that detects people; by default BlazePose
"""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core import joint_formats, plugins
from camerapose.detect import _base
from camerapose.detect._base import Detection
from camerapose.detect._settings import read_settings
from camerapose.io.runtime import onnx_session
from camerapose.track.boxes import iou

#: Models that rtmlib downloads: family and mode of rtmlib.
NAMES = {
    f"{family}-{mode}": (family, mode)
    for family in ("rtmpose", "rtmo")
    for mode in ("lightweight", "balanced", "performance")
}
#: Source and licence of these models, for the documentation.
MODEL_SOURCE, MODEL_LICENCE = "OpenMMLab, by rtmlib (about 20 to 250 MB)", "Apache-2.0"
#: Joint formats by number of joints, without a .toml file.
FORMATS = {17: "coco_17", 26: "halpe_26"}
#: Minimum mean confidence of the joints of a person.
MIN_SCORE = 0.2
#: Minimum score of an RTMO box.
MIN_BOX_SCORE = 0.3
#: Overlap (IoU) above which a person counts as detected in the last frame.
SAME_PERSON = 0.3

#: From a BGR image, and whether it follows the last one, to keypoints (n, joints, 2) and scores
#: (n, joints).
PoseNetwork = Callable[[np.ndarray, bool], tuple[np.ndarray, np.ndarray]]
#: From the same to boxes of people.
BoxNetwork = Callable[[np.ndarray, bool], Sequence]


class Settings(NamedTuple):
    """Settings in the .toml file next to a model, see the module's documentation."""

    skeleton: str = ""
    people: str = ""


class Detector:
    """Detect people and their joints with RTMPose or RTMO.

    Args:
        model: a name in `NAMES`, or an .onnx file.
        max_people: number of people to return: first those detected in the last frame, then the
            most prominent.
        threads: of ONNX Runtime; None uses all processor cores.
        device: a key of `camerapose.io.runtime.DEVICES`.
        person_detector: detects and tracks the boxes of people for an RTMPose file; None for that
            of its settings.

    Raises:
        ValueError: rtmlib is not installed, a model cannot be downloaded or has another layout,
            invalid settings, or a device that is not available.
    """

    def __init__(
        self,
        model: str | os.PathLike = "rtmpose-balanced",
        *,
        max_people: int = 1,
        threads: int | None = None,
        device: str = "cpu",
        person_detector: Any = None,
    ):
        _base.check_max_people(max_people)
        self.max_people = max_people
        self._previous: list[np.ndarray] = []
        try:
            import rtmlib  # noqa: F401
        except ModuleNotFoundError:
            raise ValueError(
                "the detector rtmlib requires the package rtmlib; run "
                'pip install "camerapose[people]"'
            ) from None
        open_session = _SessionOptions(threads, device)
        if str(model) in NAMES:
            self._network, self.skeleton = _named_model(str(model), open_session), "coco_17"
        else:
            path = Path(model)
            self._network, self.skeleton = _model_file(
                path, open_session, max_people, person_detector
            )

    def reset(self) -> None:
        """Forget the people of the last frame; call it before another video."""
        self._previous = []

    def __call__(self, image: np.ndarray, *, track: bool = False) -> list[Detection]:
        """Detect people in one image.

        Args:
            image: uint8 (height, width, 3) RGB.
            track: return people of the last frame first.
        """
        _base.check_image(image)
        detections = []
        # rtmlib takes BGR images, and the centre of its first pixel is 0.
        keypoints, scores = self._network(np.ascontiguousarray(image[..., ::-1]), track)
        for points, confidence in zip(keypoints + 0.5, np.clip(scores, 0, 1), strict=True):
            score = float(confidence.mean())
            if score >= MIN_SCORE and np.isfinite(points).all():
                points, confidence = points.astype(np.float32), confidence.astype(np.float32)
                box = _base.keypoint_box(points)
                detections.append(Detection(points, confidence, box, score))
        detections.sort(key=self._prominence, reverse=True)
        detections = [replace(d, person=i) for i, d in enumerate(detections[: self.max_people])]
        self._previous = [d.box for d in detections] if track else []
        return detections

    def _prominence(self, person: Detection) -> tuple[bool, float]:
        """Return the order of a person: first whether tracked, then area times score."""
        tracked = any(iou(person.box, box) > SAME_PERSON for box in self._previous)
        return tracked, float(np.prod(person.box[2:] - person.box[:2])) * person.score


class _SessionOptions(NamedTuple):
    """Open ONNX graphs with the same options."""

    threads: int | None
    device: str

    def __call__(self, path: str | os.PathLike) -> Any:
        return onnx_session(path, device=self.device, threads=self.threads)


def _named_model(name: str, open_session: _SessionOptions) -> PoseNetwork:
    """Load a model of `NAMES`, downloaded by rtmlib."""
    import rtmlib

    family, mode = NAMES[name]
    pose = "rtmo" if family == "rtmo" else None
    body = _create(lambda: rtmlib.Body(pose=pose, mode=mode, backend="onnxruntime"), name)
    for tool in [body.pose_model] + ([] if body.one_stage else [body.det_model]):
        tool.session = open_session(tool.onnx_model)
    if body.one_stage:
        return _rtmo(body.pose_model)
    return _top_down(body.pose_model, _box_network(body.det_model))


def _model_file(
    path: Path, open_session: _SessionOptions, max_people: int, person_detector: Any
) -> tuple[PoseNetwork, str]:
    """Load an .onnx file; return it with its joint format."""
    import rtmlib

    if not path.is_file():
        raise ValueError(
            f"unknown model {path}; pass as model an .onnx file of RTMPose or RTMO, or one of "
            f"{', '.join(NAMES)}"
        )
    session = open_session(path)
    kind, joints, size = _layout(session, path)
    settings = read_settings(path, Settings)
    skeleton = _joint_format(path, settings, joints)
    # rtmlib takes height and width for RTMO, width and height for RTMPose.
    size = size if kind == "RTMO" else size[::-1]
    make = getattr(rtmlib, kind)
    tool = _create(lambda: make(str(path), model_input_size=size, backend="onnxruntime"), str(path))
    tool.session = session
    if kind == "RTMO":
        return _rtmo(tool), skeleton
    if person_detector is None and settings.people:
        boxes = _yolox(path, settings.people, open_session)
    else:
        boxes = _detector_boxes(
            person_detector
            or plugins.load("detectors", "blazepose").Detector(
                "full", max_people=max_people, threads=open_session.threads
            )
        )
    return _top_down(tool, boxes), skeleton


def _layout(session: Any, path: Path) -> tuple[str, Any, tuple[int, int]]:
    """Return the kind of a graph (RTMO or RTMPose), its joints, and height and width."""
    shapes = [output.shape for output in session.get_outputs()]
    size = tuple(session.get_inputs()[0].shape[2:])
    if not all(isinstance(side, int) for side in size):
        raise ValueError(f"{path} has a variable input size {size}; export it with a fixed one")
    if [len(shape) for shape in shapes] == [3, 4]:
        return "RTMO", shapes[1][2], size
    if [len(shape) for shape in shapes] == [3, 3]:
        return "RTMPose", shapes[0][1], size
    raise ValueError(
        f"{path} has outputs {shapes}; expected boxes (1, n, 5) and keypoints (1, n, joints, 3) "
        "of RTMO, or (1, joints, 2 x width) and (1, joints, 2 x height) of RTMPose"
    )


def _joint_format(path: Path, settings: Settings, joints: Any) -> str:
    """Return the name of the joint format of a graph."""
    name = settings.skeleton or FORMATS.get(joints, "")
    hint = f'write skeleton = "..." to {path.with_suffix(".toml").name}'
    if not name:
        raise ValueError(f"{path} returns {joints} joints of an unknown format; {hint}")
    expected = joint_formats.get(name).n_joints
    if isinstance(joints, int) and expected != joints:
        raise ValueError(f"{path} returns {joints} joints, but {name} has {expected}; {hint}")
    return name


def _rtmo(tool: Any) -> PoseNetwork:
    def run(image: np.ndarray, track: bool) -> tuple[np.ndarray, np.ndarray]:
        try:
            return tool(image, score_thr=MIN_BOX_SCORE)
        except IndexError:  # rtmlib fails if the graph returns no boxes at all
            return np.zeros((0, 1, 2)), np.zeros((0, 1))

    return run


def _top_down(tool: Any, boxes: BoxNetwork) -> PoseNetwork:
    def run(image: np.ndarray, track: bool) -> tuple[np.ndarray, np.ndarray]:
        people = boxes(image, track)
        if not len(people):  # rtmlib would use the whole image as a box
            return np.zeros((0, 1, 2)), np.zeros((0, 1))
        return tool(image, bboxes=people)

    return run


def _box_network(tool: Any) -> BoxNetwork:
    return lambda image, track: [box for box in tool(image) if np.prod(box[2:] - box[:2]) > 0]


def _yolox(model: Path, name: str, open_session: _SessionOptions) -> BoxNetwork:
    """Load the YOLOX file that the settings of a model name."""
    import rtmlib

    path = model.parent / name
    if not path.is_file():
        raise ValueError(f"no such file: {path}, named in {model.with_suffix('.toml')}")
    session = open_session(path)
    size = tuple(session.get_inputs()[0].shape[2:])
    tool = _create(
        lambda: rtmlib.YOLOX(str(path), model_input_size=size, backend="onnxruntime"), str(path)
    )
    tool.session = session
    return _box_network(tool)


def _detector_boxes(person_detector: Any) -> BoxNetwork:
    """Return the body boxes of another detector."""

    def run(image: np.ndarray, track: bool) -> list[np.ndarray]:
        people = person_detector(np.ascontiguousarray(image[..., ::-1]), track=track)
        return [_base.body_box(person.box) for person in people]

    return run


def _create(make: Callable[[], Any], model: str) -> Any:
    """Create an object of rtmlib without its output; report a failed download in one line."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return make()
    except OSError as error:
        raise ValueError(
            f"cannot download the model {model} ({error}); download it elsewhere and pass its "
            ".onnx file as model"
        ) from error
