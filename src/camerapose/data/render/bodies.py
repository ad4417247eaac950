"""Posed `anny` bodies: meshes and joints of people of all ages and shapes.

`anny` (NAVER, code Apache-2.0, assets CC0) is an optional package: `pip install
camerapose[rendered]`. Its bodies are posed from the directions of the bones of another body, so
that each recorded posture is available on any body.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int

#: Parameters of the body shape, each 0 to 1 (age: -1/3, a newborn, to 1).
SHAPE = ("gender", "age", "muscle", "weight", "height", "proportions")
#: The 23 points of `KeypointsRegressor.coco`: COCO's 17, toes and heels.
N_COCO = 23
#: Bones whose orientation follows from several points (bone -> points), least squares.
_RIGID = {
    "root": ("upperleg01.L", "upperleg01.R", "spine04"),
    "spine01": ("clavicle.L", "clavicle.R", "neck01"),
    "head": ("eye.L", "eye.R", "head_vertex_top"),
    "foot.L": ("left_big_toe", "left_small_toe", "left_heel"),
    "foot.R": ("right_big_toe", "right_small_toe", "right_heel"),
}
#: The twist of a limb: its bones, the hinge, and the end of the next segment.
_LIMBS = {
    "upperarm01": ("lowerarm01", "wrist"),
    "upperleg01": ("lowerleg01", "foot"),
}
#: Hinges bent by less than this (sine) do not determine the twist.
_MIN_BEND = 0.15


@dataclass(frozen=True)
class Body:
    """One posed body; z up, metres, relative to the pelvis.

    Attributes:
        vertices: of the skin.
        coco: points of `KeypointsRegressor.coco`.
        bones: bone heads in the order of `Bodies.bone_names`, and the top of the head.
    """

    vertices: Float[np.ndarray, "v 3"]
    coco: Float[np.ndarray, "23 3"]
    bones: Float[np.ndarray, "bones 3"]


class Bodies:
    """The body model.

    Attributes:
        template: vertices of the average body at rest (z up, facing -y).
        faces: triangles of the skin.
        bone_names: names of the bones whose positions are given and returned.
        labels, parents: names of all bones, and the index of each one's parent.
        coco_names: names of the surface points.

    Raises:
        ImportError: `anny` is not installed.
    """

    def __init__(self, bone_names: tuple[str, ...]) -> None:
        try:
            import anny
            import torch
            from anny.keypoints import KeypointsRegressor
        except ImportError as error:
            raise ImportError(
                "rendering needs the package anny: pip install 'camerapose[rendered]'"
            ) from error
        self._torch = torch
        model = anny.Anny(pose_parameterization="world-orient")
        regressor = KeypointsRegressor.coco(model)
        self.coco_names = tuple(regressor.labels)
        self._regressor = regressor.regression_weights.numpy().astype(np.float32)
        self._model: Any = model.to(torch.float32)
        self.template = model.template_vertices.numpy()
        self.faces: Int[np.ndarray, "f 3"] = np.asarray(model.get_triangular_faces())
        labels = list(model.bone_labels)
        self.parents = np.asarray(model.bone_parents)
        self.bone_names = bone_names
        self.labels = tuple(labels)
        self._index = {name: i for i, name in enumerate(labels)}
        self._given = np.array([self._index[n] for n in bone_names[:-1]])
        weights = model.vertex_bone_weights.numpy()
        self.skinning = np.zeros((len(self.template), len(labels)), np.float32)
        np.put_along_axis(self.skinning, model.vertex_bone_indices.numpy(), weights, 1)
        self._top = int(self.template[:, 2].argmax())

    def posed(
        self,
        shape: Float[np.ndarray, "n 6"],
        bones: Float[np.ndarray, "n bones 3"],
        coco: Float[np.ndarray, "n 23 3"],
    ) -> list[Body]:
        """Return bodies of the given shapes in the postures of other bodies.

        Args:
            shape: values of `SHAPE`.
            bones: bone heads of the other bodies, and the tops of their heads (z up).
            coco: their surface points.
        """
        points = np.concatenate(self.at_rest(shape), axis=1)
        return self.rotated(shape, self._rotations(points, np.concatenate([bones, coco], 1)))

    def at_rest(
        self, shape: Float[np.ndarray, "n 6"]
    ) -> tuple[Float[np.ndarray, "n bones 3"], Float[np.ndarray, "n 23 3"]]:
        """Return bone heads with the top of the head, and surface points, of bodies at rest."""
        with self._torch.no_grad():
            rest = self._model(phenotype_kwargs=self._phenotypes(shape))
        points = self._named_points(
            rest["rest_bone_poses"].numpy()[:, self._given][..., :3, 3],
            rest["rest_vertices"].numpy(),
        )
        return points[:, : len(self.bone_names)], points[:, len(self.bone_names) :]

    def rotated(
        self, shape: Float[np.ndarray, "n 6"], rotations: Float[np.ndarray, "n labels 3 3"]
    ) -> list[Body]:
        """Return bodies whose bones are rotated from rest; rotations are in world axes."""
        torch, phenotypes = self._torch, self._phenotypes(shape)
        with torch.no_grad():
            rest_poses = self._model(phenotype_kwargs=phenotypes)["rest_bone_poses"].numpy()
            poses = np.zeros_like(rest_poses)
            poses[:, :, :3, :3] = rotations @ rest_poses[:, :, :3, :3]
            poses[:, :, 3, 3] = 1
            output = self._model(
                pose_parameters=torch.from_numpy(poses), phenotype_kwargs=phenotypes
            )
        vertices = output["vertices"].numpy()
        result = self._named_points(
            output["bone_poses"].numpy()[:, self._given][..., :3, 3], vertices
        )
        pelvis = result[:, :1]
        vertices, result = vertices - pelvis, result - pelvis
        n = len(self.bone_names)
        return [Body(v, r[n:], r[:n]) for v, r in zip(vertices, result, strict=True)]

    def _phenotypes(self, shape: np.ndarray) -> dict[str, Any]:
        return {k: self._torch.tensor(shape[:, i]).float() for i, k in enumerate(SHAPE)}

    def _named_points(self, heads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
        """Return bone heads, top of the head and surface points of bodies (n, 39 + 23, 3)."""
        return np.concatenate(
            [heads, vertices[:, self._top, None], self._regressor @ vertices], axis=1
        )

    def _rotations(self, rest: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the rotation (n, labels, 3, 3) of each bone from rest to the posture."""
        names = [*self.bone_names, *self.coco_names]
        index = {name: i for i, name in enumerate(names)}
        result = np.zeros((len(rest), len(self.labels), 3, 3), np.float32)
        for bone, label in enumerate(self.labels):
            parent = result[:, self.parents[bone]] if bone else np.eye(3)[None]
            if label in _RIGID:
                ends = [index[n] for n in _RIGID[label]]
                here = index[label]
                a, b = rest[:, ends] - rest[:, [here]], target[:, ends] - target[:, [here]]
                result[:, bone] = _align(_unit(a), _unit(b))
                continue
            rotation = np.broadcast_to(parent, (len(rest), 3, 3))
            end = self._end(label)
            if label in index and end is not None:
                here, there = index[label], index[end]
                direction = rotation @ (rest[:, there] - rest[:, here])[..., None]
                rotation = _swing(direction[..., 0], target[:, there] - target[:, here]) @ rotation
                if label[:-2] in _LIMBS:
                    rotation = self._twist(rotation, label, index, rest, target)
            result[:, bone] = rotation
        return result

    def _end(self, label: str) -> str | None:
        """Return the bone at the end of a bone; None for hands and other unknown ends."""
        children = [
            self.labels[i]
            for i, parent in enumerate(self.parents)
            if i and parent == self._index[label] and self.labels[i] in self.bone_names
        ]
        return children[0] if len(children) == 1 else None

    def _twist(self, rotation, label, index, rest, target):
        """Rotate an upper arm or thigh about itself such that the hinge bends as recorded."""
        side = label[-2:]
        hinge, last = (index[name + side] for name in _LIMBS[label[:-2]])
        here = index[label]
        axis = _unit(target[:, hinge] - target[:, here])
        given = np.cross(axis, _unit(target[:, last] - target[:, hinge]))
        forearm = (rotation @ _unit(rest[:, last] - rest[:, hinge])[..., None])[..., 0]
        own = np.cross(axis, forearm)
        sine = (np.cross(own, given) * axis).sum(1)
        angle = np.arctan2(sine, (own * given).sum(1))
        bend = np.minimum(np.linalg.norm(given, axis=1), np.linalg.norm(own, axis=1) * 3)
        # Less and less reliable as the limb becomes straight.
        angle = angle * np.clip((bend - _MIN_BEND) / _MIN_BEND, 0, 1)
        return _about(axis, angle) @ rotation


@lru_cache(maxsize=1)
def load(bone_names: tuple[str, ...]) -> Bodies:
    """Return the body model, loaded once per process (about six seconds)."""
    return Bodies(bone_names)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _align(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the rotations that best map vectors a to b (n, points, 3): Kabsch."""
    u, _, vt = np.linalg.svd(np.swapaxes(b, 1, 2) @ a)
    sign = np.linalg.det(u @ vt)
    u[..., -1] *= sign[:, None]
    return u @ vt


def _swing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the smallest rotations (n, 3, 3) that map the directions a to b."""
    a, b = _unit(a), _unit(b)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=1)
    return _about(_unit(axis), np.arctan2(sine, (a * b).sum(1)))


def _about(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return rotations about unit axes: Rodrigues."""
    k = np.zeros((len(axis), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    k -= np.swapaxes(k, 1, 2)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * k + (1 - cosine) * (k @ k)
