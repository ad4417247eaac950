"""Supervisely: keypoint graphs, one JSON file per image, with a meta.json that names the joints."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source

DESCRIPTION = "Supervisely annotation {size, objects: [{nodes}]}"
PER_FRAME = True
SOURCES = (
    Source(
        "Supervisely", "6", "export in Supervisely format, folder ann",
        "joints by the labels in meta.json",
    ),
)  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether this is a JSON object with size and objects."""
    return isinstance(content.json, dict) and {"size", "objects"} <= set(content.json)


def read(content: Content) -> People:
    """Read the graphs of one image."""
    document = content.json
    objects = list(document["objects"])
    graphs = [o for o in objects if isinstance(o.get("nodes"), dict)]
    labels = _labels(content.path)
    names = list(dict.fromkeys(labels.get(k, k) for graph in graphs for k in graph["nodes"]))
    if labels:
        names = list(dict.fromkeys([*labels.values(), *names]))
    keypoints = np.zeros((len(graphs), len(names), 3), np.float32)
    for row, graph in enumerate(graphs):
        for node, value in graph["nodes"].items():
            score = 0.5 if value.get("disabled") else 1.0
            keypoints[row, names.index(labels.get(node, node))] = *value["loc"], score
    size = document["size"]
    return People(
        keypoints,
        place=lambda i: f"{content.path}, object {i}",
        image=[content.path.name.removesuffix(".json")] * len(graphs),
        size=np.array([[size["width"], size["height"]]] * len(graphs), np.float32).reshape(-1, 2),
        person=[graph.get("trackId", graph.get("instance")) for graph in graphs],
        joints=names or None,
        unit="pixel",
        skipped={"objects without keypoints": len(objects) - len(graphs)},
    )


def _labels(path: Path) -> dict[str, str]:
    """Return the names of nodes by their ids, from the meta.json of the project."""
    for folder in list(path.absolute().parents)[:3]:
        file = folder / "meta.json"
        if file.is_file():
            classes = json.loads(file.read_bytes()).get("classes", [])
            nodes: dict[str, Any] = {}
            for item in classes:
                nodes |= (item.get("geometry_config") or {}).get("nodes") or {}
            return {str(k): str(v.get("label", k)) for k, v in nodes.items()}
    return {}
