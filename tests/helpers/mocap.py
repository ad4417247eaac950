"""Small motion-capture files."""

import numpy as np

#: A body in a BVH file, centimetres: joint, parent, offset. Names and tree are Mixamo's.
BODY = {
    "Hips": (None, (0, 0, 0)), "Spine": ("Hips", (0, 12, 0)), "Spine1": ("Spine", (0, 15, 0)),
    "Neck": ("Spine1", (0, 24, 0)), "Head": ("Neck", (0, 10, 2)), "Head_end": ("Head", (0, 18, 0)),
    "LeftShoulder": ("Spine1", (5, 20, 0)), "LeftArm": ("LeftShoulder", (12, 0, 0)),
    "LeftForeArm": ("LeftArm", (28, 0, 0)), "LeftHand": ("LeftForeArm", (25, 0, 0)),
    "LeftHand_end": ("LeftHand", (10, 0, 0)),
    "RightShoulder": ("Spine1", (-5, 20, 0)), "RightArm": ("RightShoulder", (-12, 0, 0)),
    "RightForeArm": ("RightArm", (-28, 0, 0)), "RightHand": ("RightForeArm", (-25, 0, 0)),
    "RightHand_end": ("RightHand", (-10, 0, 0)),
    "LeftUpLeg": ("Hips", (9, -5, 0)), "LeftLeg": ("LeftUpLeg", (0, -42, 0)),
    "LeftFoot": ("LeftLeg", (0, -41, 0)), "LeftFoot_end": ("LeftFoot", (0, -5, 12)),
    "RightUpLeg": ("Hips", (-9, -5, 0)), "RightLeg": ("RightUpLeg", (0, -42, 0)),
    "RightFoot": ("RightLeg", (0, -41, 0)), "RightFoot_end": ("RightFoot", (0, -5, 12)),
}  # fmt: skip


def bvh_text(frames=6, order="ZXY", unit=1.0, seed=0, rename=lambda name: name, angle=30):
    """Return a BVH file of the body in random poses."""
    random = np.random.default_rng(seed)
    children = {name: [c for c, (p, _) in BODY.items() if p == name] for name in BODY}
    lines, width = ["HIERARCHY"], 0

    def write(name, depth):
        nonlocal width
        tab = "\t" * depth
        offset = " ".join(f"{v * unit:.6f}" for v in BODY[name][1])
        if name.endswith("_end"):
            lines.extend([f"{tab}End Site", f"{tab}{{", f"{tab}\tOFFSET {offset}", f"{tab}}}"])
            return
        turns = " ".join(f"{axis}rotation" for axis in order)
        lines.extend([f"{tab}{'JOINT' if depth else 'ROOT'} {rename(name)}", f"{tab}{{"])
        lines.append(f"{tab}\tOFFSET {offset}")
        if depth:
            lines.append(f"{tab}\tCHANNELS 3 {turns}")
        else:
            lines.append(f"{tab}\tCHANNELS 6 Xposition Yposition Zposition {turns}")
        width += 3 if depth else 6
        for child in children[name]:
            write(child, depth + 1)
        lines.append(f"{tab}}}")

    write("Hips", 0)
    lines += ["MOTION", f"Frames: {frames}", "Frame Time: 0.008333"]
    for _ in range(frames):
        values = random.uniform(-angle, angle, width)
        values[:3] = np.array([10, 95, -20]) * unit + random.uniform(-5, 5, 3) * unit
        lines.append(" ".join(f"{v:.6f}" for v in values))
    return "\n".join(lines) + "\n"


#: Bone, parent, direction, length, axis, degrees of freedom. Names and tree are CMU's.
BONES = [
    ("lhipjoint", "root", (0.6, -0.7, 0.2), 2.4, (0, 0, 0), ""),
    ("lfemur", "lhipjoint", (0.34, -0.94, 0), 7.1, (0, 0, 20), "rx ry rz"),
    ("ltibia", "lfemur", (0.34, -0.94, 0), 7.3, (0, 0, 20), "rx"),
    ("lfoot", "ltibia", (0.06, -0.24, 0.97), 2.2, (-90, 7e-16, 20), "rx rz"),
    ("rhipjoint", "root", (-0.6, -0.7, 0.2), 2.4, (0, 0, 0), ""),
    ("rfemur", "rhipjoint", (-0.34, -0.94, 0), 7.1, (0, 0, -20), "rx ry rz"),
    ("rtibia", "rfemur", (-0.34, -0.94, 0), 7.3, (0, 0, -20), "rx"),
    ("rfoot", "rtibia", (-0.06, -0.24, 0.97), 2.2, (-90, 7e-16, -20), "rx rz"),
    ("lowerback", "root", (0, 1, -0.03), 2.0, (0, 0, 0), "rx ry rz"),
    ("upperback", "lowerback", (0, 1, 0), 2.0, (0, 0, 0), "rx ry rz"),
    ("thorax", "upperback", (0, 1, 0.02), 2.0, (0, 0, 0), "rx ry rz"),
    ("lowerneck", "thorax", (0, 1, 0.02), 1.6, (0, 0, 0), "rx ry rz"),
    ("upperneck", "lowerneck", (0, 0.99, 0.1), 1.6, (0, 0, 0), "rx ry rz"),
    ("head", "upperneck", (0, 1, 0.06), 1.6, (0, 0, 0), "rx ry rz"),
    ("lclavicle", "thorax", (0.9, 0.4, -0.1), 3.5, (0, 0, 0), "ry rz"),
    ("lhumerus", "lclavicle", (1, 0, 0), 5.0, (180, 30, 90), "rx ry rz"),
    ("lradius", "lhumerus", (1, 0, 0), 3.1, (180, 30, 90), "rx"),
    ("lwrist", "lradius", (1, 0, 0), 1.5, (180, 30, 90), "ry"),
    ("rclavicle", "thorax", (-0.9, 0.4, -0.1), 3.5, (0, 0, 0), "ry rz"),
    ("rhumerus", "rclavicle", (-1, 0, 0), 5.0, (180, -30, -90), "rx ry rz"),
    ("rradius", "rhumerus", (-1, 0, 0), 3.1, (180, -30, -90), "rx"),
    ("rwrist", "rradius", (-1, 0, 0), 1.5, (180, -30, -90), "ry"),
]


def asf_text():
    lines = ["# AST/ASF file generated using VICON BodyLanguage", ":version 1.10", ":name VICON",
             ":units", "  mass 1.0", "  length 0.45", "  angle deg", ":documentation",
             "   .ast/.asf automatically generated", ":root",
             "   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0",
             "   orientation 0 0 0", ":bonedata"]  # fmt: skip
    for i, (name, _, direction, length, axis, dof) in enumerate(BONES, 1):
        lines += ["  begin", f"     id {i}", f"     name {name}",
                  f"     direction {' '.join(map(str, direction))}", f"     length {length}",
                  f"     axis {' '.join(map(str, axis))}  XYZ"]  # fmt: skip
        if dof:
            lines.append(f"    dof {dof}")
            limits = ["(-180.0 180.0)"] * len(dof.split())
            lines += [f"    limits {limits[0]}", *[f"           {limit}" for limit in limits[1:]]]
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for parent in ["root", *[name for name, *_ in BONES]]:
        children = [name for name, above, *_ in BONES if above == parent]
        if children:
            lines.append(f"    {parent} {' '.join(children)}")
    return "\n".join([*lines, "  end"]) + "\n"


def amc_values(frames=5, seed=0, angle=40):
    random = np.random.default_rng(seed)
    return [
        {"root": np.r_[9.4, 17.9, -17.2, random.uniform(-angle, angle, 3)].round(4)}
        | {
            name: random.uniform(-angle, angle, len(dof.split())).round(4)
            for name, *_, dof in BONES
            if dof
        }
        for _ in range(frames)
    ]


def amc_text(values):
    lines = ["#!OML:ASF F:\\VICON\\USERDATA\\01.ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for i, frame in enumerate(values, 1):
        lines.append(str(i))
        lines += [f"{name} {' '.join(map(str, numbers))}" for name, numbers in frame.items()]
    return "\n".join(lines) + "\n"
