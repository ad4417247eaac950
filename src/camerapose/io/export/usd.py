"""USD (.usdc) for Omniverse, Houdini, Unreal, Maya and Blender: metres, y up.

All people are in one file, each as a UsdSkel root: the joints of the rig
(`camerapose.io.export._rig`), a simple body (`camerapose.io.export._body`) in the pose of the first
frame, and the motion. Time codes are the frames. A person is invisible before the first and after
the last pose. Written by usd-core.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from camerapose.io.export import Track, _body, _rig
from camerapose.io.export.gltf import COLORS, quaternions
from camerapose.io.files import AtomicFile

EXTENSION = ".usdc"
REQUIRES = "pxr"


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write a skeleton, a body and the motion of each person."""
    try:
        from pxr import Usd, UsdGeom
    except ModuleNotFoundError:
        raise ValueError(
            'USD requires usd-core: pip install "camerapose[usd]", or export .glb instead'
        ) from None
    track = next(iter(people.values()))
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(track.fps)
    stage.SetFramesPerSecond(track.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(track.points) - 1)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/people").GetPrim())
    for number, (person, track) in enumerate(people.items()):
        _add(stage, f"/people/person_{person}", track, COLORS[number % len(COLORS)])
    with AtomicFile(path) as temporary:
        stage.Export(str(temporary))


def _add(stage: Any, path: str, track: Track, color: tuple[float, float, float]) -> None:
    """Add a person; frames without a pose are interpolated."""
    from pxr import UsdGeom, UsdSkel, Vt

    rig = _rig.fit(track)
    root = UsdSkel.Root.Define(stage, path)
    present = np.flatnonzero(track.present)
    visible = root.CreateVisibilityAttr()
    for frame in {0, int(present[0]), min(int(present[-1]) + 1, len(track.points) - 1)}:
        shown = present[0] <= frame <= present[-1]
        visible.Set(UsdGeom.Tokens.inherited if shown else UsdGeom.Tokens.invisible, frame)
    skeleton = UsdSkel.Skeleton.Define(stage, f"{path}/skeleton")
    joints = Vt.TokenArray(_joint_paths(rig.nodes))
    positions, orientations = (values[0] for values in rig.frame(0).world())
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateBindTransformsAttr(_matrices(orientations, positions))
    skeleton.CreateRestTransformsAttr(_matrices(rig.rotations[0], rig.offsets[0]))
    animation = _animation(stage, f"{path}/skeleton/motion", rig, joints)
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    _add_body(stage, f"{path}/body", rig, skeleton, color)


def _joint_paths(nodes: list[_rig.Node]) -> list[str]:
    """Return the path of every joint from the root, as UsdSkel names joints."""
    paths: list[str] = []
    for node in nodes:
        paths.append(node.name if node.parent is None else f"{paths[node.parent]}/{node.name}")
    return paths


def _animation(stage: Any, path: str, rig: _rig.Rig, joints: Any) -> Any:
    """Return an animation with the rotations and positions of all joints in every frame."""
    from pxr import Gf, UsdSkel, Vt

    animation = UsdSkel.Animation.Define(stage, path)
    animation.CreateJointsAttr(joints)
    animation.CreateScalesAttr(Vt.Vec3hArray(len(rig.nodes), Gf.Vec3h(1, 1, 1)))
    rotations, translations = animation.CreateRotationsAttr(), animation.CreateTranslationsAttr()
    turns = np.stack([quaternions(rig.rotations[:, i]) for i in range(len(rig.nodes))], axis=1)
    for frame, (turn, offset) in enumerate(zip(turns, rig.offsets, strict=True)):
        rotations.Set(Vt.QuatfArray([Gf.Quatf(w, x, y, z) for x, y, z, w in turn.tolist()]), frame)
        translations.Set(Vt.Vec3fArray.FromNumpy(np.float32(offset)), frame)
    return animation


def _add_body(stage: Any, path: str, rig: _rig.Rig, skeleton: Any, color: Any) -> None:
    """Add the mesh in the pose of the first frame, each corner on one joint."""
    from pxr import Gf, UsdGeom, UsdSkel, Vt

    body = _body.build(rig)
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.float32(body.corners)))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(np.float32(body.normals)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(body.faces)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.int32(body.faces.ravel())))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateExtentAttr(
        [Gf.Vec3f(*map(float, c(0))) for c in (body.corners.min, body.corners.max)]
    )
    mesh.CreateDisplayColorAttr([Gf.Vec3f(*color)])
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    indices = Vt.IntArray.FromNumpy(np.int32(body.joints))
    binding.CreateJointIndicesPrimvar(False, 1).Set(indices)
    binding.CreateJointWeightsPrimvar(False, 1).Set(Vt.FloatArray(len(body.joints), 1.0))


def _matrices(
    rotations: Float[np.ndarray, "joints 3 3"], positions: Float[np.ndarray, "joints 3"]
) -> Any:
    """Return matrices of USD, which multiply row vectors from the right."""
    from pxr import Gf, Vt

    whole = np.tile(np.eye(4), (len(rotations), 1, 1))
    whole[:, :3, :3] = np.swapaxes(rotations, 1, 2)
    whole[:, 3, :3] = positions
    return Vt.Matrix4dArray([Gf.Matrix4d(*matrix.ravel().tolist()) for matrix in whole])
