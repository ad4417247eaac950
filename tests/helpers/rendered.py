"""Rendered people with detections of known errors."""

import numpy as np

from camerapose.core.joint_formats import COCO_17
from camerapose.data.datasets.rendered.content import COCO_23, LIMBS, Rendered


def simulated(n=4000, level=0.04, sample=0.0, joint=0.0, outliers=0.0, swap=0.0, seed=0):
    """People of random shape with detections of known errors."""
    random = np.random.default_rng(seed)
    coco = random.normal(0, [0.35, 0.5, 0.1], (n, 23, 3)) + [0, 0, 5]
    focal, size = np.full(n, 500.0, np.float32), np.full((n, 2), 500.0, np.float32)
    pixels = coco[..., :2] / coco[..., 2:] * 500 + 250
    limbs = pixels[:, [COCO_23.index(j) for j in LIMBS]]
    spread = np.sqrt(((limbs - limbs.mean(1, keepdims=True)) ** 2).sum(-1).mean(1))
    scale = level * np.exp(
        sample * random.normal(size=(n, 1)) + joint * random.normal(size=(n, 17))
    )
    scale = np.where(random.random((n, 17)) < outliers, 5.0, scale)
    body = pixels[:, [COCO_23.index(j) for j in COCO_17.joints]]
    found = body + (scale * spread[:, None])[..., None] * random.normal(size=(n, 17, 2))
    exchanged = random.random(n) < swap
    found[exchanged] = found[exchanged][:, list(COCO_17.mirror)]
    confidence = np.clip(0.9 - 4 * scale, 0.05, 1)
    return Rendered(
        skeleton="coco_17",
        detected=np.concatenate([found, confidence[..., None]], -1).astype(np.float32),
        matched=np.ones(n, bool),
        coco=coco.astype(np.float32),
        bones=np.zeros((n, 39, 3), np.float32),
        visible=np.full((n, 23), 2, np.uint8),
        focal=focal,
        size=size,
        shape=np.zeros((n, 6), np.float32),
        source=np.arange(n),
        clip=np.full(n, "a"),
        people=np.ones(n, int),
    )
