"""Poses to draw, and measurements on rendered figures."""

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from camerapose import Camera, Poses
from camerapose.core import joint_formats
from camerapose.view.layout import save_figure

#: A standing person in the joints of h36m_16, metres relative to the pelvis.
BODY = np.array(
    [[0, 0, 0], [-0.13, 0, 0], [-0.13, 0.45, 0.05], [-0.13, 0.9, 0], [0.13, 0, 0],
     [0.13, 0.45, 0.05], [0.13, 0.9, 0], [0, -0.25, 0], [0, -0.5, 0], [0, -0.75, 0],
     [0.15, -0.5, 0], [0.25, -0.25, 0], [0.25, 0, -0.1], [-0.15, -0.5, 0], [-0.25, -0.25, 0],
     [-0.25, 0, -0.1]], np.float32
)  # fmt: skip
#: Width and height of the image, pixels.
SIZE = (320, 240)


def people(n=1, places=None, size=SIZE):
    """Return people who stand 4 m away, side by side at x = `places`, as a `Predictor` does."""
    places = np.zeros(n) if places is None else np.asarray(places)
    roots = np.stack([places, np.zeros(n), np.full(n, 4.0)], -1).astype(np.float32)
    pose3d = BODY + roots[:, None]
    camera = Camera(np.full((n, 2), 2, np.float32), np.zeros((n, 2), np.float32), roots)
    pose2d = camera.project(pose3d)
    return Poses(
        joint_formats.H36M_16, pose2d, np.ones((n, 16), np.float32), pose3d, camera,
        np.tile(np.float32([size]), (n, 1)), pose2d, {"person": np.arange(n)},
    )  # fmt: skip


def grey_image():
    return np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)


def render(figure, tmp_path):
    """Return the pixels of a figure."""
    path = save_figure(figure, tmp_path / "a.png", dpi=60)
    return np.asarray(Image.open(path).convert("RGB")).astype(float)


def has_color(pixels, color):
    """Return a mask of the pixels of a colour."""
    return np.abs(pixels - 255 * np.array(to_rgb(color))).max(-1) < 12


def panel_texts(figure):
    """Return all texts in and below the panels."""
    return [text.get_text() for ax in figure.axes for text in ax.texts]
