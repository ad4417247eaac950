"""Any top-down heatmap network in ONNX, such as HRNet, SimpleBaseline and ViTPose.

BlazePose detects the people; the crop of each passes through the network, whose heatmaps give
joints at sub-cell accuracy. The confidence is the maximum of the heatmap (CameraPose, Section 3.1).

    camerapose predict walk.mp4 --out result --detector heatmap --model hrnet_w32.onnx

The graph takes one RGB image (1, 3, height, width) and returns heatmaps (1, joints, h, w). A .toml
file with the name of the graph changes these default settings:

    skeleton = "coco_17"                # joint format of the heatmaps
    mean = [0.485, 0.456, 0.406]        # of ImageNet, for values 0 to 1
    std = [0.229, 0.224, 0.225]
    margin = 1.25                       # size of the crop divided by the box of the body
    bgr = false                         # the network takes BGR
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image

from camerapose.core import joint_formats, plugins
from camerapose.detect import _base
from camerapose.detect._base import Detection
from camerapose.detect._settings import read_settings
from camerapose.io.runtime import onnx_session

#: Minimum mean confidence of the joints of a person.
MIN_SCORE = 0.1


class Settings(NamedTuple):
    """Settings in the .toml file next to the graph, see the module's documentation."""

    skeleton: str = "coco_17"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    margin: float = 1.25
    bgr: bool = False


class Detector:
    """Detect people with BlazePose and their joints with a heatmap network.

    Args:
        model: path of the .onnx file.
        max_people: number of people to return.
        threads: of both networks; None uses all processor cores.
        device: of the heatmap network, a key of `camerapose.io.runtime.DEVICES`.
        person_detector: detects and tracks the boxes of people; None for BlazePose.

    Raises:
        ValueError: no such file, a graph with other inputs or outputs, invalid settings, or a
            device that is not available.
    """

    def __init__(
        self,
        model: str | os.PathLike = "heatmap.onnx",
        *,
        max_people: int = 1,
        threads: int | None = None,
        device: str = "cpu",
        person_detector: Any = None,
    ):
        _base.check_max_people(max_people)
        path = Path(model)
        if not path.is_file():
            raise ValueError(
                f"no such file: {path}; pass as model a top-down heatmap network exported to "
                "ONNX, such as HRNet or ViTPose"
            )
        self.settings = read_settings(path, Settings)
        self.skeleton = self.settings.skeleton
        self._session = onnx_session(path, device=device, threads=threads)
        self.size = _input_size(self._session, path, joint_formats.get(self.skeleton).n_joints)
        self._person_detector = person_detector or plugins.load("detectors", "blazepose").Detector(
            "full", max_people=max_people, threads=threads
        )

    def reset(self) -> None:
        """Forget the tracked people; call it before another video."""
        self._person_detector.reset()

    def __call__(self, image: np.ndarray, *, track: bool = False) -> list[Detection]:
        """Detect people in one image, in the order and with the identities of the person detector.

        Args:
            image: uint8 (height, width, 3) RGB.
            track: whether the images are consecutive frames of one video.
        """
        _base.check_image(image)
        detections = []
        for person in self._person_detector(image, track=track):
            corner, scale = _crop(person.box, self.size, self.settings.margin)
            heatmaps = self._heatmaps(image, corner, scale)
            cells, confidence = decode(heatmaps)
            cell_size = np.array(self.size) / np.array(heatmaps.shape[:0:-1])
            keypoints = (cells * cell_size * scale + corner).astype(np.float32)
            score = float(confidence.mean())
            if score >= MIN_SCORE:
                box = _base.keypoint_box(keypoints)
                detections.append(Detection(keypoints, confidence, box, score, person.person))
        return detections

    def _heatmaps(
        self, image: np.ndarray, corner: Float[np.ndarray, "2"], scale: float
    ) -> Float[np.ndarray, "joints h w"]:
        """Run the network on one crop, which is black beyond the image."""
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
    """Return positions x, y in cells (centre of the first cell: 0.5) and maxima, clipped to [0, 1].

    A parabola is fitted to the logarithms of the highest cell and its neighbours, in x and in y,
    which is exact for a Gaussian (compare DARK, Zhang et al., CVPR 2020).
    """
    joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(joints, -1)
    peak = flat.argmax(1)
    y, x = np.divmod(peak, width)
    logs = np.log(np.clip(heatmaps, 1e-6, None))
    joint = np.arange(joints)

    def offset(before: np.ndarray, center: np.ndarray, after: np.ndarray) -> np.ndarray:
        curvature = before - 2 * center + after
        moved = (before - after) / np.minimum(2 * curvature, -1e-6)
        return np.clip(np.where(curvature < -1e-6, moved, 0.0), -0.5, 0.5)

    center = logs[joint, y, x]
    inside_x, inside_y = (x > 0) & (x < width - 1), (y > 0) & (y < height - 1)
    left, right = np.maximum(x - 1, 0), np.minimum(x + 1, width - 1)
    above, below = np.maximum(y - 1, 0), np.minimum(y + 1, height - 1)
    dx = offset(logs[joint, y, left], center, logs[joint, y, right])
    dy = offset(logs[joint, above, x], center, logs[joint, below, x])
    cells = np.stack([x + 0.5 + dx * inside_x, y + 0.5 + dy * inside_y], axis=1)
    return cells.astype(np.float32), np.clip(flat[joint, peak], 0, 1).astype(np.float32)


def _crop(box: np.ndarray, size: tuple[int, int], margin: float) -> tuple[np.ndarray, float]:
    """Return top left corner of a crop in the image, and image pixels per crop pixel.

    The crop contains the whole body and has the aspect of the network's input.
    """
    x0, y0, x1, y1 = _base.body_box(np.asarray(box, float))
    scale = margin * max((x1 - x0) / size[0], (y1 - y0) / size[1], 1e-3)
    center = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return center - scale * np.array(size) / 2, scale


def _input_size(session: Any, path: Path, joints: int) -> tuple[int, int]:
    """Return width and height of the network's input, once its shapes are checked."""
    inputs, outputs = session.get_inputs()[0].shape, session.get_outputs()[0].shape
    fits = len(inputs) == 4 and inputs[1] == 3 and all(isinstance(n, int) for n in inputs[2:])
    if not fits or len(outputs) != 4 or outputs[1] != joints:
        raise ValueError(
            f"{path} maps {inputs} to {outputs}; expected a heatmap network from "
            f"(1, 3, height, width) to (1, {joints}, h, w). For another joint format write "
            f'skeleton = "..." to {path.with_suffix(".toml").name}'
        )
    return inputs[3], inputs[2]
