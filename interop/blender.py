"""Import BVH, glTF, USD and FBX into Blender; print the largest deviation of the joints as JSON.

Run by test_interop.py with a Python that has bpy: blender.py FOLDER. The folder contains joints.npz
and the files.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import bpy
import numpy as np


def z_up(points):
    """Return points with y up in Blender's axes."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def deviation(armature, joints, points, first):
    """Return the largest distance of the joints in metres; frames with NaN are ignored."""
    worst = 0.0
    for row in np.flatnonzero(np.isfinite(points).all((1, 2))):
        bpy.context.scene.frame_set(first + int(row))
        for joint, expected in zip(joints, z_up(points[row]), strict=True):
            head = np.array(armature.matrix_world @ armature.pose.bones[joint].head)
            worst = max(worst, float(np.linalg.norm(head - expected)))
    return worst


def lowest(armature, points):
    """Return the height of the lowest end of a bone in each frame."""
    heights = []
    for row in np.flatnonzero(np.isfinite(points).all((1, 2))):
        bpy.context.scene.frame_set(1 + int(row))
        ends = [armature.matrix_world @ bone.tail for bone in armature.pose.bones]
        heights.append(min(end.z for end in ends))
    return heights


def empty():
    bpy.ops.wm.read_factory_settings(use_empty=True)


folder = Path(sys.argv[1])
data = np.load(folder / "joints.npz")
joints, fps = data["joints"].tolist(), float(data["fps"])
people = [name for name in data.files if name.startswith("person_")]
result = {}
for name in people:
    empty()
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        bpy.ops.import_anim.bvh(filepath=str(folder / f"{name}.bvh"), update_scene_fps=True)
    armature = bpy.context.object
    scene = bpy.context.scene
    result[f"{name}.bvh"] = {
        "deviation": deviation(armature, joints, data[name], 1),
        "fps": scene.render.fps / scene.render.fps_base,
        "zero_length": "zero length" in output.getvalue(),
        "frames": int(armature.animation_data.action.frame_range[1]),
        "lowest": lowest(armature, data[name]),
    }
    # The conversion that the documentation describes.
    fbx = str(folder / f"{name}.fbx")
    with contextlib.redirect_stdout(output):
        bpy.ops.export_scene.fbx(filepath=fbx, add_leaf_bones=False, bake_anim_simplify_factor=0)
        empty()
        bpy.ops.import_scene.fbx(filepath=fbx)
    armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    result[f"{name}.fbx"] = {"deviation": deviation(armature, joints, data[name], 1)}
empty()
bpy.context.scene.render.fps = round(fps)
with contextlib.redirect_stdout(io.StringIO()):
    bpy.ops.import_scene.gltf(filepath=str(folder / "people.glb"))
for name in people:
    armature = bpy.data.objects[name]
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.parent == armature]
    result[f"{name}.glb"] = {
        "deviation": deviation(armature, joints, data[name], 0),
        "meshes": len(meshes),
    }
empty()
with contextlib.redirect_stdout(io.StringIO()):
    bpy.ops.wm.usd_import(filepath=str(folder / "people.usdc"))
armatures = [o for o in bpy.data.objects if o.type == "ARMATURE"]
for name in people:
    armature = next(o for o in armatures if o.parent and o.parent.name == name)
    result[f"{name}.usdc"] = {
        "deviation": deviation(armature, joints, data[name], 0),
        "meshes": len([o for o in armature.parent.children if o.type == "MESH"]),
    }
print("RESULT " + json.dumps(result))
