"""glTF 2.0 binary (.glb) for web viewers, game engines and Blender: metres, y up.

All people are in one file. Each has a skin: a simple body (`camerapose.io.export._body`) on the
joints of the rig (`camerapose.io.export._rig`). Without animation, people have the pose of the
first frame. A person is scaled to zero before the first and after the last pose. The extras list
the frames in which a person was not detected. Written by pygltflib.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from camerapose.io.export import Track, _body, _rig
from camerapose.io.files import write_bytes

EXTENSION = ".glb"
REQUIRES = "pygltflib"
#: Colours of people (linear RGB).
COLORS = (
    (0.03, 0.16, 0.45), (0.6, 0.15, 0.02), (0.03, 0.3, 0.12), (0.35, 0.06, 0.35),
    (0.45, 0.3, 0.02), (0.02, 0.3, 0.35),
)  # fmt: skip
_TYPES = {"f": ("<f4", 5126), "u": ("<u4", 5125), "b": ("u1", 5121)}
_ARRAY, _INDEX = 34962, 34963


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write an animated body per person."""
    try:
        import pygltflib as gltf
    except ModuleNotFoundError:
        raise ValueError(
            'glTF requires pygltflib: pip install "camerapose[export]", or export .bvh instead'
        ) from None
    scene = _Scene(gltf)
    for person, track in people.items():
        scene.add(person, track)
    write_bytes(path, scene.to_bytes())


class _Scene:
    """Collects people, and the arrays of all people in one binary buffer."""

    def __init__(self, gltf: Any):
        self._gltf, self._bytes = gltf, bytearray()
        self._views: list[Any] = []
        self._accessors: list[Any] = []
        self._nodes: list[Any] = []
        self._meshes: list[Any] = []
        self._skins: list[Any] = []
        self._materials: list[Any] = []
        self._top: list[int] = []
        self._animation = gltf.Animation(name="motion", samplers=[], channels=[])
        self._not_detected: dict[str, list[int]] = {}

    def add(self, person: int, track: Track) -> None:
        """Add the skeleton, body and motion of a person."""
        rig = _rig.fit(track)
        name, first = f"person_{person}", len(self._nodes) + 1
        self._nodes.append(self._gltf.Node(name=name, children=[first]))
        self._top.append(first - 1)
        quaternion = [quaternions(rig.rotations[:, i]) for i in range(len(rig.nodes))]
        for i, node in enumerate(rig.nodes):
            self._nodes.append(
                self._gltf.Node(
                    name=node.name, children=[], rotation=np.float32(quaternion[i][0]).tolist(),
                    translation=np.float32(rig.offsets[0, i]).tolist(),
                )
            )  # fmt: skip
            if node.parent is not None:
                self._nodes[first + node.parent].children.append(first + i)
        self._add_body(name, rig, first)
        self._add_motion(rig, quaternion, track, first)
        self._not_detected[name] = np.flatnonzero(~track.detected).tolist()

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        gltf = self._gltf
        for node in self._nodes:
            node.children = node.children or None
        self._animation.extras = {"not_detected": self._not_detected}
        file = gltf.GLTF2(
            asset=gltf.Asset(version="2.0", generator="camerapose"),
            scene=0, scenes=[gltf.Scene(nodes=self._top)], nodes=self._nodes,
            meshes=self._meshes, skins=self._skins, materials=self._materials,
            animations=[self._animation], accessors=self._accessors, bufferViews=self._views,
            buffers=[gltf.Buffer(byteLength=len(self._bytes))],
        )  # fmt: skip
        file.set_binary_blob(bytes(self._bytes))
        return b"".join(file.save_to_bytes())

    def _add_body(self, name: str, rig: _rig.Rig, first: int) -> None:
        """Add the mesh in the pose of the first frame, its skin and its material."""
        gltf, body = self._gltf, _body.build(rig)
        n = len(body.corners)
        joints, weights = np.zeros((n, 4), np.uint8), np.zeros((n, 4))
        joints[:, 0], weights[:, 0] = body.joints, 1.0
        attributes = gltf.Attributes(
            POSITION=self._store(body.corners, "VEC3", _ARRAY, limits=True),
            NORMAL=self._store(body.normals, "VEC3", _ARRAY),
            JOINTS_0=self._store(joints, "VEC4", _ARRAY, "b"),
            WEIGHTS_0=self._store(weights, "VEC4", _ARRAY),
        )
        color = COLORS[len(self._meshes) % len(COLORS)]
        self._materials.append(
            gltf.Material(
                name=name,
                pbrMetallicRoughness=gltf.PbrMetallicRoughness(
                    baseColorFactor=[*color, 1.0], metallicFactor=0.0, roughnessFactor=0.7
                ),
            )
        )
        primitive = gltf.Primitive(
            attributes=attributes, material=len(self._materials) - 1,
            indices=self._store(body.faces.reshape(-1), "SCALAR", _INDEX, "u"),
        )  # fmt: skip
        self._meshes.append(gltf.Mesh(name=f"{name}_body", primitives=[primitive]))
        self._skins.append(
            gltf.Skin(
                name=name, skeleton=first, joints=[first + i for i in range(len(rig.nodes))],
                inverseBindMatrices=self._store(_inverse_matrices(rig), "MAT4"),
            )
        )  # fmt: skip
        index = len(self._meshes) - 1
        self._nodes.append(gltf.Node(name=f"{name}_body", mesh=index, skin=index))
        self._top.append(len(self._nodes) - 1)

    def _add_motion(
        self, rig: _rig.Rig, quaternion: list[np.ndarray], track: Track, first: int
    ) -> None:
        """Add the rotations of all joints, the positions of those that move, and the visibility."""
        times = self._store(np.arange(len(rig.offsets)) / track.fps, "SCALAR", limits=True)
        for i in range(len(rig.nodes)):
            self._channel(first + i, "rotation", times, quaternion[i], "VEC4")
            if rig.moving[i]:
                self._channel(first + i, "translation", times, rig.offsets[:, i], "VEC3")
        present = np.flatnonzero(track.present)
        frames = np.arange(len(track.points))
        shown = (frames >= present[0]) & (frames <= present[-1])
        if not shown.all():
            scale = np.repeat(shown[:, None], 3, axis=1).astype(float)
            self._channel(first - 1, "scale", times, scale, "VEC3", "STEP")

    def _channel(
        self, node: int, path: str, times: int, values: np.ndarray, kind: str,
        interpolation: str = "LINEAR",
    ) -> None:  # fmt: skip
        gltf, animation = self._gltf, self._animation
        output = self._store(values, kind)
        animation.samplers.append(
            gltf.AnimationSampler(input=times, output=output, interpolation=interpolation)
        )
        target = gltf.AnimationChannelTarget(node=node, path=path)
        sampler = len(animation.samplers) - 1
        animation.channels.append(gltf.AnimationChannel(sampler=sampler, target=target))

    def _store(
        self,
        values: np.ndarray,
        kind: str,
        target: int | None = None,
        number: str = "f",
        *,
        limits: bool = False,
    ) -> int:
        """Append an array of floats, unsigned integers or bytes; return its accessor's index."""
        code, component = _TYPES[number]
        data = np.ascontiguousarray(values, code)
        self._views.append(
            self._gltf.BufferView(
                buffer=0, byteOffset=len(self._bytes), byteLength=data.nbytes, target=target
            )
        )
        self._bytes.extend(data.tobytes() + b"\0" * (-data.nbytes % 4))
        rows = data.reshape(len(data), -1)
        self._accessors.append(
            self._gltf.Accessor(
                bufferView=len(self._views) - 1, componentType=component, count=len(data),
                type=kind, min=rows.min(0).tolist() if limits else None,
                max=rows.max(0).tolist() if limits else None,
            )
        )  # fmt: skip
        return len(self._accessors) - 1


def _inverse_matrices(rig: _rig.Rig) -> Float[np.ndarray, "nodes 16"]:
    """Return the matrices from the scene to each joint in the first frame, column by column."""
    positions, orientations = (values[0] for values in rig.frame(0).world())
    matrices = np.zeros((len(positions), 4, 4))
    inverse = np.swapaxes(orientations, 1, 2)
    matrices[:, :3, :3], matrices[:, 3, 3] = inverse, 1.0
    matrices[:, :3, 3] = -np.einsum("nij,nj->ni", inverse, positions)
    return np.swapaxes(matrices, 1, 2).reshape(len(positions), 16)


def quaternions(rotations: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 4"]:
    """Return unit quaternions x, y, z, w; neighbours are in the same hemisphere."""
    result = Rotation.from_matrix(rotations).as_quat()
    product = (result[1:] * result[:-1]).sum(-1)
    result[1:] *= np.cumprod(np.where(product < 0, -1.0, 1.0))[:, None]
    return result
