"""Any top-down heatmap network in ONNX: HRNet, SimpleBaseline, ViTPose and their like.

BlazePose finds the people; each one's box goes through your network, whose heatmaps give the
joints to a fraction of a cell. Confidence is the heatmap's maximum (CameraPose, section 3.1).

    camerapose predict walk.mp4 --out result --detector heatmap --model hrnet_w32.onnx

The graph takes one image (1, 3, height, width), RGB, and gives heatmaps (1, joints, h, w). What
else there is to know stands in a file of the same name ending in .toml; these are the defaults:

    skeleton = "coco_17"                # joint format of the heatmaps
    mean = [0.485, 0.456, 0.406]        # of ImageNet, for values 0 to 1
    std = [0.229, 0.224, 0.225]
    margin = 1.25                       # the crop's size over the box's
    bgr = false                         # the network takes blue first
"""

import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from camerapose.core import formats
from camerapose.detect import blazepose

#: Boxes of landmarks end at joints; people reach beyond them by this share, upwards by twice it.
BODY_BEYOND_JOINTS = 0.1
#: People whose joints are less sure than this on average are not reported.
LEAST_SCORE = 0.1


class Settings(NamedTuple):
    """What the .toml beside the graph says."""

    skeleton: str = "coco_17"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    margin: float = 1.25
    bgr: bool = False


class Detector:
    """Finds people with BlazePose and their joints with a heatmap network.

    Args:
        model: path of the .onnx file.
        max_people: how many to report.
        threads: of ONNX Runtime; None takes the processor's cores.
        finder: what finds and tracks people's boxes; None: BlazePose.

    Raises:
        ValueError: no such network, or the file beside it says something else.
    """

    def __init__(
        self,
        model: str | os.PathLike = "heatmap.onnx",
        *,
        max_people: int = 1,
        threads: int | None = None,
        finder: Any = None,
    ):
        path = Path(model)
        if not path.is_file():
            raise ValueError(
                f"there is no network at {path}; give --model PATH.onnx, a top-down heatmap "
                "network such as HRNet or ViTPose exported to ONNX"
            )
        self.settings = settings_beside(path, Settings)
        self.skeleton = self.settings.skeleton
        self._session, self.size = _network(path, threads, formats.get(self.skeleton).n_joints)
        self._finder = finder or blazepose.Detector("full", max_people=max_people, threads=threads)

    def reset(self) -> None:
        """Forget the people tracked so far."""
        self._finder.reset()

    def __call__(self, image: np.ndarray, *, track: bool = False) -> list[blazepose.Detection]:
        """People in one image, in the finder's order and with its numbers."""
        found = []
        for person in self._finder(image, track=track):
            corner, scale = _crop(person.box, self.size, self.settings.margin)
            heatmaps = self._heatmaps(image, corner, scale)
            places, confidence = decode(heatmaps)
            cells = np.array(heatmaps.shape[:0:-1])
            keypoints = (places * (np.array(self.size) / cells) * scale + corner).astype(np.float32)
            score = float(confidence.mean())
            if score >= LEAST_SCORE:
                box = np.concatenate([keypoints.min(0), keypoints.max(0)])
                found.append(
                    blazepose.Detection(
                        keypoints, confidence, box, score, person.person, self.skeleton
                    )
                )
        return found

    def _heatmaps(
        self, image: np.ndarray, corner: Float[np.ndarray, "2"], scale: float
    ) -> Float[np.ndarray, "joints h w"]:
        """The network's answer for one crop, which is black beyond the image."""
        matrix = (scale, 0.0, corner[0], 0.0, scale, corner[1])
        resampling = Image.Resampling.BILINEAR
        patch = Image.fromarray(image).transform(
            self.size, Image.Transform.AFFINE, matrix, resampling
        )
        values = np.asarray(patch, np.float32) / 255
        values = values[..., ::-1] if self.settings.bgr else values
        values = (values - np.float32(self.settings.mean)) / np.float32(self.settings.std)
        tensor = np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)
        return self._session.run(None, {self._session.get_inputs()[0].name: tensor})[0][0]


def decode(
    heatmaps: Float[np.ndarray, "joints h w"],
) -> tuple[Float[np.ndarray, "joints 2"], Float[np.ndarray, " joints"]]:
    """Places x, y in cells (the first cell's middle is 0.5) and the maxima, cut to [0, 1].

    Around the highest cell a parabola through the logarithms of it and its neighbours, in x and
    in y: exact for a Gaussian (compare DARK, Zhang et al., CVPR 2020).
    """
    joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(joints, -1)
    peak = flat.argmax(1)
    y, x = np.divmod(peak, width)
    logs = np.log(np.clip(heatmaps, 1e-6, None))
    each = np.arange(joints)

    def offset(before: np.ndarray, here: np.ndarray, after: np.ndarray) -> np.ndarray:
        bend = before - 2 * here + after
        moved = np.where(bend < -1e-6, (before - after) / np.minimum(2 * bend, -1e-6), 0.0)
        return np.clip(moved, -0.5, 0.5)

    here = logs[each, y, x]
    inside_x, inside_y = (x > 0) & (x < width - 1), (y > 0) & (y < height - 1)
    dx = offset(
        logs[each, y, np.maximum(x - 1, 0)], here, logs[each, y, np.minimum(x + 1, width - 1)]
    )
    dy = offset(
        logs[each, np.maximum(y - 1, 0), x], here, logs[each, np.minimum(y + 1, height - 1), x]
    )
    places = np.stack([x + 0.5 + dx * inside_x, y + 0.5 + dy * inside_y], axis=1)
    return places.astype(np.float32), np.clip(flat[each, peak], 0, 1).astype(np.float32)


def _crop(box: np.ndarray, size: tuple[int, int], margin: float) -> tuple[np.ndarray, float]:
    """Top left corner of the crop in the image, and image pixels per crop pixel.

    The crop holds the whole body and has the network's aspect.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    width, height = x1 - x0, y1 - y0
    beyond = BODY_BEYOND_JOINTS * max(width, height)
    x0, x1, y0, y1 = x0 - beyond, x1 + beyond, y0 - 2 * beyond, y1 + beyond
    scale = margin * max((x1 - x0) / size[0], (y1 - y0) / size[1], 1e-3)
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return middle - scale * np.array(size) / 2, scale


def settings_beside(model: Path, kind: Any) -> Any:
    """The NamedTuple `kind`, filled from the .toml beside a model; its defaults without one."""
    path = model.with_suffix(".toml")
    if not path.is_file():
        return kind()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = set(given) - set(kind._fields)
        if unknown:
            raise ValueError(
                f"it has {', '.join(sorted(unknown))}; known are {', '.join(kind._fields)}"
            )
        settings = kind(**given)
        if settings.skeleton:
            formats.get(settings.skeleton)
        std = getattr(settings, "std", (1, 1, 1))
        if len(getattr(settings, "mean", std)) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError("mean and std take three numbers each, std above 0")
    except (tomllib.TOMLDecodeError, ValueError, TypeError) as error:
        raise ValueError(f"{path} can't be used: {error}") from error
    return settings


def open_graph(path: str | os.PathLike, threads: int | None) -> Any:
    """An ONNX Runtime session on the processor; None threads: its cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class of its own for each kind of trouble
        raise ValueError(f"{path} is no ONNX graph that can be run ({error})") from error


def _network(path: Path, threads: int | None, joints: int) -> tuple[Any, tuple[int, int]]:
    """The network and its input's width and height."""
    session = open_graph(path, threads)
    given, made = session.get_inputs()[0].shape, session.get_outputs()[0].shape
    fits = len(given) == 4 and given[1] == 3 and all(isinstance(n, int) for n in given[2:])
    if not fits or len(made) != 4 or made[1] != joints:
        raise ValueError(
            f"{path} takes {given} and gives {made}; a heatmap network takes (1, 3, height, width) "
            f"and gives (1, {joints}, h, w). Another joint format? Name it in "
            f'{path.with_suffix(".toml").name}: skeleton = "..."'
        )
    return session, (given[3], given[2])
