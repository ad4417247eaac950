"""glTF 2.0 binary (.glb) for web viewers, game engines and Blender: metres, y up.

The nodes of the rig (`camerapose.io.export._rig`) are animated by rotations. Each bone is a slim
octahedron. The animation's extras list the frames in which the person was not detected. Written by
pygltflib.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.io.export import Track, _rig
from camerapose.io.files import write_bytes

EXTENSION = ".glb"
#: Thickness of a bone as a fraction of its length.
THICKNESS = 0.12
_FLOAT, _USHORT = 5126, 5123
_ARRAY, _INDEX = 34962, 34963


def write(path: Path, track: Track) -> None:
    """Write an animated rig."""
    try:
        import pygltflib as gltf
    except ModuleNotFoundError:
        raise ValueError(
            'glTF requires pygltflib: pip install "camerapose[export]", or export .bvh instead'
        ) from None
    rig, buffer = _rig.fit(track), _Buffer(gltf)
    corners, faces = _octahedron()
    primitive = gltf.Primitive(
        attributes=gltf.Attributes(POSITION=buffer.add(corners, "VEC3", _ARRAY)),
        indices=buffer.add(faces, "SCALAR", _INDEX), material=0,
    )  # fmt: skip
    colour = gltf.PbrMetallicRoughness(
        baseColorFactor=[0.2, 0.45, 0.75, 1.0], metallicFactor=0.0, roughnessFactor=0.7
    )
    animation = _animation(gltf, rig, buffer, track)
    file = gltf.GLTF2(
        asset=gltf.Asset(version="2.0", generator="camerapose"),
        scene=0, scenes=[gltf.Scene(nodes=[0])], nodes=_nodes(gltf, rig),
        meshes=[gltf.Mesh(primitives=[primitive])],
        materials=[gltf.Material(pbrMetallicRoughness=colour, doubleSided=True)],
        animations=[animation], accessors=buffer.accessors, bufferViews=buffer.views,
        buffers=[gltf.Buffer(byteLength=len(buffer.bytes))],
    )  # fmt: skip
    file.set_binary_blob(bytes(buffer.bytes))
    write_bytes(path, b"".join(file.save_to_bytes()))


class _Buffer:
    """Collects arrays in one binary buffer, with a view and an accessor each."""

    def __init__(self, gltf: Any):
        self._gltf = gltf
        self.bytes, self.views, self.accessors = bytearray(), [], []  # type: ignore[var-annotated]

    def add(self, values: np.ndarray, kind: str, target: int | None = None) -> int:
        """Append an array, and return the index of its accessor."""
        is_index = values.dtype.kind == "u"
        data = np.ascontiguousarray(values, "<u2" if is_index else "<f4")
        self.views.append(
            self._gltf.BufferView(
                buffer=0, byteOffset=len(self.bytes), byteLength=data.nbytes, target=target
            )
        )
        self.bytes.extend(data.tobytes() + b"\0" * (-data.nbytes % 4))
        rows = data.reshape(len(data), -1)
        self.accessors.append(
            self._gltf.Accessor(
                bufferView=len(self.views) - 1, componentType=_USHORT if is_index else _FLOAT,
                count=len(data), type=kind,
                min=rows.min(0).tolist(), max=rows.max(0).tolist(),
            )
        )  # fmt: skip
        return len(self.accessors) - 1


def _nodes(gltf: Any, rig: _rig.Rig) -> list[Any]:
    """Return the nodes of the rig, then one node with a mesh per bone."""
    nodes = [
        gltf.Node(name=node.name, translation=node.offset.tolist(), children=[])
        for node in rig.nodes
    ]
    for i, node in enumerate(rig.nodes):
        if node.parent is None:
            continue
        nodes[node.parent].children.append(i)
        length = float(np.linalg.norm(node.offset))
        if length > 0:  # the bone is a child of the node that rotates it
            up, along = np.array([[0.0, 1.0, 0.0]]), node.offset[None] / length
            rotation = quaternions(_rig.smallest_rotations(up, along))[0]
            nodes.append(
                gltf.Node(
                    name=f"{node.name}_bone", mesh=0, rotation=rotation.tolist(),
                    scale=[length * THICKNESS, length, length * THICKNESS],
                )
            )  # fmt: skip
            nodes[node.parent].children.append(len(nodes) - 1)
    return nodes


def _animation(gltf: Any, rig: _rig.Rig, buffer: _Buffer, track: Track) -> Any:
    """Return the animation of the root's position and of all rotations."""
    times = buffer.add(np.arange(len(rig.root)) / track.fps, "SCALAR")
    curves = [(0, "translation", rig.root, "VEC3")]
    curves += [
        (i, "rotation", quaternions(rig.rotations[:, i]), "VEC4") for i in range(len(rig.nodes))
    ]
    samplers, channels = [], []
    for node, property_name, values, kind in curves:
        samplers.append(gltf.AnimationSampler(input=times, output=buffer.add(values, kind)))
        target = gltf.AnimationChannelTarget(node=node, path=property_name)
        channels.append(gltf.AnimationChannel(sampler=len(samplers) - 1, target=target))
    return gltf.Animation(
        name="movement",
        samplers=samplers,
        channels=channels,
        extras={"not_detected": np.flatnonzero(~track.detected).tolist()},
    )


def quaternions(rotations: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 4"]:
    """Return unit quaternions x, y, z, w; neighbours are in the same hemisphere."""
    result = np.empty((len(rotations), 4))
    for i, r in enumerate(rotations):
        # The component of largest magnitude is computed first (Shepperd, 1978).
        trace = np.trace(r)
        choices = np.array([*np.diag(r), trace])
        k = int(choices.argmax())
        q = np.empty(4)
        if k == 3:
            q[:] = [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], 1 + trace]
        else:
            a, b, c = k, (k + 1) % 3, (k + 2) % 3
            q[a] = 1 - trace + 2 * r[a, a]
            q[b], q[c] = r[b, a] + r[a, b], r[c, a] + r[a, c]
            q[3] = r[c, b] - r[b, c]
        result[i] = q / np.linalg.norm(q)
        if i and result[i] @ result[i - 1] < 0:
            result[i] *= -1
    return result


def _octahedron() -> tuple[np.ndarray, np.ndarray]:
    """Return corners and faces of a bone of length 1 from the origin along y."""
    corners = [[0, 0, 0], [0.5, 0.2, 0], [0, 0.2, 0.5], [-0.5, 0.2, 0], [0, 0.2, -0.5], [0, 1, 0]]
    ring = [1, 2, 3, 4]
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    faces = [(0, a, b) for a, b in pairs] + [(5, b, a) for a, b in pairs]
    return np.array(corners, float), np.array(faces, np.uint16).ravel()
