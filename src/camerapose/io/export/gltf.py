"""glTF 2.0 binary (.glb), for web viewers, game engines and Blender: metres, y up.

Nodes are the rig's (`camerapose.io.export._rig`), animated by rotations; each bone shows as a slim
octahedron. The animation's extras name the frames in which the person was not seen. By pygltflib.
"""

from pathlib import Path

import numpy as np

from camerapose.io.export import Movement, _rig
from camerapose.io.files import write_bytes

EXTENSION = ".glb"
#: A bone's thickness beside its length.
THICKNESS = 0.12
_FLOAT, _USHORT = 5126, 5123
_ARRAY, _INDEX = 34962, 34963


def write(path: Path, movement: Movement) -> None:
    """An animated rig that viewers show as it is."""
    try:
        import pygltflib as gltf
    except ModuleNotFoundError:
        raise ValueError(
            'glTF needs pygltflib; install it with pip install "camerapose[export]", or export bvh'
        ) from None
    rig = _rig.fit(movement)
    blob, views, accessors = bytearray(), [], []

    def keep(values: np.ndarray, kind: str, target: int | None = None) -> int:
        """Put an array into the buffer; the number of its accessor."""
        whole = values.dtype.kind == "u"
        data = np.ascontiguousarray(values, "<u2" if whole else "<f4")
        views.append(
            gltf.BufferView(buffer=0, byteOffset=len(blob), byteLength=data.nbytes, target=target)
        )
        blob.extend(data.tobytes() + b"\0" * (-data.nbytes % 4))
        rows = data.reshape(len(data), -1)
        accessors.append(
            gltf.Accessor(
                bufferView=len(views) - 1, componentType=_USHORT if whole else _FLOAT,
                count=len(data), type=kind,
                min=rows.min(0).tolist(), max=rows.max(0).tolist(),
            )
        )  # fmt: skip
        return len(accessors) - 1

    corners, faces = _octahedron()
    attributes = gltf.Attributes(POSITION=keep(corners, "VEC3", _ARRAY))
    primitive = gltf.Primitive(
        attributes=attributes, indices=keep(faces, "SCALAR", _INDEX), material=0
    )
    nodes = [
        gltf.Node(name=node.name, translation=node.offset.tolist(), children=[])
        for node in rig.nodes
    ]
    for i, node in enumerate(rig.nodes):
        if node.parent is not None:
            nodes[node.parent].children.append(i)
        length = float(np.linalg.norm(node.offset))
        if length > 0:  # the bone hangs on the node that turns it
            up, along = np.array([[0.0, 1.0, 0.0]]), node.offset[None] / length
            turn = quaternions(_rig._smallest(up, along))[0]
            nodes.append(
                gltf.Node(
                    name=f"{node.name}_bone", mesh=0, rotation=turn.tolist(),
                    scale=[length * THICKNESS, length, length * THICKNESS],
                )
            )  # fmt: skip
            nodes[node.parent].children.append(len(nodes) - 1)
    times = keep(np.arange(len(rig.root)) / movement.fps, "SCALAR")
    samplers, channels = [], []

    def animate(node: int, what: str, values: np.ndarray, kind: str) -> None:
        samplers.append(gltf.AnimationSampler(input=times, output=keep(values, kind)))
        target = gltf.AnimationChannelTarget(node=node, path=what)
        channels.append(gltf.AnimationChannel(sampler=len(samplers) - 1, target=target))

    animate(0, "translation", rig.root, "VEC3")
    for i in range(len(rig.nodes)):
        animate(i, "rotation", quaternions(rig.turns[:, i]), "VEC4")
    colour = gltf.PbrMetallicRoughness(
        baseColorFactor=[0.2, 0.45, 0.75, 1.0], metallicFactor=0.0, roughnessFactor=0.7
    )
    file = gltf.GLTF2(
        asset=gltf.Asset(version="2.0", generator="camerapose"),
        scene=0, scenes=[gltf.Scene(nodes=[0])], nodes=nodes,
        meshes=[gltf.Mesh(primitives=[primitive])],
        materials=[gltf.Material(pbrMetallicRoughness=colour, doubleSided=True)],
        animations=[gltf.Animation(
            name="movement", samplers=samplers, channels=channels,
            extras={"not_seen": np.flatnonzero(~movement.measured).tolist()},
        )],
        accessors=accessors, bufferViews=views, buffers=[gltf.Buffer(byteLength=len(blob))],
    )  # fmt: skip
    file.set_binary_blob(bytes(blob))
    write_bytes(path, b"".join(file.save_to_bytes()))


def quaternions(turns: np.ndarray) -> np.ndarray:
    """Unit quaternions x y z w (t, 4) of rotations (t, 3, 3), neighbours on the same side."""
    found = np.empty((len(turns), 4))
    for i, r in enumerate(turns):
        # the largest of the four is found first (Shepperd, 1978)
        trace = np.trace(r)
        choices = np.array([*np.diag(r), trace])
        k = int(choices.argmax())
        if k == 3:
            q = [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], 1 + trace]
        else:
            a, b, c = k, (k + 1) % 3, (k + 2) % 3
            q = np.empty(4)
            q[a] = 1 - trace + 2 * r[a, a]
            q[b], q[c] = r[b, a] + r[a, b], r[c, a] + r[a, c]
            q[3] = r[c, b] - r[b, c]
        found[i] = np.asarray(q) / np.linalg.norm(q)
        if i and found[i] @ found[i - 1] < 0:
            found[i] *= -1
    return found


def _octahedron() -> tuple[np.ndarray, np.ndarray]:
    """A bone from the origin along y, one long: corners and faces."""
    corners = [[0, 0, 0], [0.5, 0.2, 0], [0, 0.2, 0.5], [-0.5, 0.2, 0], [0, 0.2, -0.5], [0, 1, 0]]
    ring = [1, 2, 3, 4]
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    faces = [(0, a, b) for a, b in pairs] + [(5, b, a) for a, b in pairs]
    return np.array(corners, float), np.array(faces, np.uint16).ravel()
