"""RTMPose and RTMO by the package rtmlib: several people in an image, by models of MMPose.

    camerapose predict street.mp4 --out result --detector rtmlib --max-people 4
    camerapose predict street.mp4 --out result --detector rtmlib --model rtmo-s.onnx

Jiang et al., "RTMPose", 2023; Lu et al., "RTMO", CVPR 2024. The model is a name, of which rtmlib
fetches the files once, or an .onnx file in MMPose's layout: an RTMO (boxes and keypoints of all
people at once), or an RTMPose (one person's crop to SimCC rows and columns), which needs somebody
to find the people. That, and what else there is to know, stands in a file of the same name ending
in .toml; these are the defaults:

    skeleton = ""      # joint format; without it coco_17 for 17 joints, halpe_26 for 26
    people = ""        # an .onnx file of YOLOX beside it that finds people; without it BlazePose
"""

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camerapose.core import formats
from camerapose.detect.blazepose import Detection
from camerapose.detect.heatmap import open_graph, settings_beside
from camerapose.track.tracking import overlap

#: Models that rtmlib fetches by itself: the class of its, and the arguments.
NAMES = {
    f"{family}-{mode}": (family, mode)
    for family in ("rtmpose", "rtmo")
    for mode in ("lightweight", "balanced", "performance")
}
#: Joint formats by number of joints, where no .toml says it.
FORMATS = {17: "coco_17", 26: "halpe_26"}
#: People whose joints are less sure than this on average are not reported.
LEAST_SCORE = 0.2
#: Score of an RTMO box from which somebody is there; what is less sure may continue a track.
LEAST_BOX = 0.3


class Settings(NamedTuple):
    """What the .toml beside a model says."""

    skeleton: str = ""
    people: str = ""


class Detector:
    """Finds people and their joints with RTMPose or RTMO.

    Args:
        model: a name of `NAMES`, or an .onnx file.
        max_people: how many to report. Those seen in the frame before come first, then the most
            prominent.
        threads: of ONNX Runtime; None takes the processor's cores.
        finder: what finds and tracks people's boxes for an RTMPose file; None: what the .toml
            says.

    Raises:
        ValueError: rtmlib is missing, a model cannot be had or is none of these.
    """

    def __init__(
        self,
        model: str | os.PathLike = "rtmpose-balanced",
        *,
        max_people: int = 1,
        threads: int | None = None,
        finder: Any = None,
    ):
        if max_people < 1:
            raise ValueError(f"max_people is {max_people}; it must be 1 or more.")
        self.max_people, self._before = max_people, []
        self._find, self.skeleton = _network(str(model), max_people, threads, finder)

    def reset(self) -> None:
        """Forget the people of the frame before."""
        self._before = []

    def __call__(self, image: np.ndarray, *, track: bool = False) -> list[Detection]:
        """People in one image, uint8 (height, width, 3) RGB."""
        found = []
        # rtmlib takes images as OpenCV has them, blue first, and counts the middle of the first
        # pixel as 0
        keypoints, scores = self._find(np.ascontiguousarray(image[..., ::-1]), track)
        for points, sure in zip(keypoints + 0.5, np.clip(scores, 0, 1), strict=True):
            score = float(sure.mean())
            if score >= LEAST_SCORE and np.isfinite(points).all():
                points, sure = points.astype(np.float32), sure.astype(np.float32)
                box = np.concatenate([points.min(0), points.max(0)])
                found.append(Detection(points, sure, box, score, 0, self.skeleton))
        found.sort(key=self._prominence, reverse=True)
        found = [person._replace(person=i) for i, person in enumerate(found[: self.max_people])]
        self._before = [person.box for person in found] if track else []
        return found

    def _prominence(self, person: Detection) -> tuple[bool, float]:
        """Who was there a frame before goes first; then size counts, and how sure it is."""
        known = any(overlap(person.box, box) > 0.3 for box in self._before)
        return known, float(np.prod(person.box[2:] - person.box[:2])) * person.score


#: From an image (blue first), and whether it follows on the one before, to keypoints (n, joints, 2)
#: and scores (n, joints); to people's boxes.
Find = Callable[[np.ndarray, bool], tuple[np.ndarray, np.ndarray]]
Boxes = Callable[[np.ndarray, bool], Sequence]


def _network(model: str, max_people: int, threads: int | None, finder: Any) -> tuple[Find, str]:
    """What finds people in an image, and the joint format in which it tells them."""
    try:
        import rtmlib
    except ModuleNotFoundError:
        raise ValueError(
            'the detector rtmlib needs that package; pip install "camerapose[people]" installs it'
        ) from None
    if model in NAMES:
        family, mode = NAMES[model]
        pose = "rtmo" if family == "rtmo" else None
        body = _quietly(lambda: rtmlib.Body(pose=pose, mode=mode, backend="onnxruntime"), model)
        tools = [body.pose_model] + ([] if body.one_stage else [body.det_model])
        for tool in tools:
            tool.session = open_graph(tool.onnx_model, threads)
        if body.one_stage:
            return _rtmo(body.pose_model), "coco_17"
        return _top_down(body.pose_model, _boxes_of(body.det_model)), "coco_17"
    path = Path(model)
    if not path.is_file():
        raise ValueError(
            f"there is no model {model}; give {', '.join(NAMES)}, or the path of an .onnx file of "
            "RTMPose or RTMO with --model"
        )
    session = open_graph(path, threads)
    shapes = [output.shape for output in session.get_outputs()]
    size = session.get_inputs()[0].shape[2:]
    if not all(isinstance(side, int) for side in size):
        raise ValueError(f"{path} takes pictures of any size {size}; export it with a fixed one")
    if len(shapes) == 2 and len(shapes[0]) == 3 and len(shapes[1]) == 4:
        name, joints = "RTMO", shapes[1][2]
    elif len(shapes) == 2 and len(shapes[0]) == len(shapes[1]) == 3:
        name, joints = "RTMPose", shapes[0][1]
    else:
        raise ValueError(
            f"{path} gives {shapes}; RTMO gives boxes (1, n, 5) and keypoints (1, n, joints, 3), "
            "RTMPose (1, joints, 2 x width) and (1, joints, 2 x height)"
        )
    settings = settings_beside(path, Settings)
    skeleton = _format(path, settings, joints)
    width_height = (size[1], size[0])
    kind = rtmlib.RTMO if name == "RTMO" else rtmlib.RTMPose
    given = tuple(size) if name == "RTMO" else width_height
    tool = _quietly(lambda: kind(str(path), model_input_size=given, backend="onnxruntime"), model)
    tool.session = session
    if name == "RTMO":
        return _rtmo(tool), skeleton
    return _top_down(tool, _boxes(path, settings, max_people, threads, finder)), skeleton


def _rtmo(tool: Any) -> Find:
    def find(image: np.ndarray, track: bool) -> tuple[np.ndarray, np.ndarray]:
        try:
            keypoints, scores = tool(image, score_thr=LEAST_BOX)
        except IndexError:  # rtmlib stumbles over a graph that proposes nobody at all
            return np.zeros((0, 1, 2)), np.zeros((0, 1))
        return keypoints, scores

    return find


def _top_down(tool: Any, boxes: Boxes) -> Find:
    def find(image: np.ndarray, track: bool) -> tuple[np.ndarray, np.ndarray]:
        people = boxes(image, track)
        if not len(people):  # rtmlib would take the whole picture for somebody
            return np.zeros((0, 1, 2)), np.zeros((0, 1))
        return tool(image, bboxes=people)

    return find


def _boxes_of(tool: Any) -> Boxes:
    return lambda image, track: [box for box in tool(image) if np.prod(box[2:] - box[:2]) > 0]


def _boxes(
    path: Path, settings: Settings, max_people: int, threads: int | None, finder: Any
) -> Boxes:
    """What finds people for an RTMPose file: YOLOX, else BlazePose."""
    import rtmlib

    if finder is None and settings.people:
        other = path.parent / settings.people
        if not other.is_file():
            raise ValueError(f"{path.with_suffix('.toml')} names {other}, which is not there")
        session = open_graph(other, threads)
        size = tuple(session.get_inputs()[0].shape[2:])
        tool = _quietly(
            lambda: rtmlib.YOLOX(str(other), model_input_size=size, backend="onnxruntime"),
            str(other),
        )
        tool.session = session
        return _boxes_of(tool)
    if finder is None:
        from camerapose.detect import blazepose

        finder = blazepose.Detector("full", max_people=max_people, threads=threads)

    def boxes(image: np.ndarray, track: bool) -> list[np.ndarray]:
        """Around the landmarks, and what of a body lies beyond them."""
        found = []
        for person in finder(np.ascontiguousarray(image[..., ::-1]), track=track):
            beyond = 0.1 * np.max(person.box[2:] - person.box[:2])
            found.append(person.box + beyond * np.array([-1, -2, 1, 1]))
        return found

    return boxes


def _format(path: Path, settings: Settings, joints: Any) -> str:
    name = settings.skeleton or FORMATS.get(joints, "")
    if not name:
        raise ValueError(
            f"{path} finds {joints} joints, and which these are is not known; say it in "
            f'{path.with_suffix(".toml").name}: skeleton = "..."'
        )
    if isinstance(joints, int) and formats.get(name).n_joints != joints:
        raise ValueError(
            f"{path} finds {joints} joints, but {name} has {formats.get(name).n_joints}; say "
            f'another in {path.with_suffix(".toml").name}: skeleton = "..."'
        )
    return name


def _quietly(make: Callable[[], Any], model: str) -> Any:
    """What rtmlib makes, without what it prints; its troubles in fetching in one line."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return make()
    except OSError as error:
        raise ValueError(
            f"the model {model} can't be fetched ({error}). Fetch it elsewhere, and give the path "
            "of its .onnx file with --model"
        ) from error
