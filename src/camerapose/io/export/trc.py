"""TRC, the marker file of OpenSim: metres, y up, a line a frame; empty where nobody was seen.

Layout: OpenSim's documentation, "Marker (.trc) files".
"""

from pathlib import Path

from camerapose.io.export import Movement
from camerapose.io.files import write_text

EXTENSION = ".trc"


def write(path: Path, movement: Movement) -> None:
    """One marker a joint, named as it is."""
    frames, joints = len(movement.points), movement.skeleton.joints
    rate = f"{movement.fps:.6g}"
    names = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame"
    axes = [f"{axis}{i}" for i in range(1, len(joints) + 1) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "\t".join([*names.split(), "OrigNumFrames"]),
        "\t".join([rate, rate, str(frames), str(len(joints)), "m", rate, "1", str(frames)]),
        "Frame#\tTime\t" + "\t\t\t".join(joints) + "\t\t",
        "\t\t" + "\t".join(axes),
        "",
    ]
    for i, (pose, seen) in enumerate(zip(movement.points, movement.seen, strict=True)):
        values = [f"{v:.5f}" if seen else "" for v in pose.ravel()]
        lines.append("\t".join([str(i + 1), f"{movement.start + i / movement.fps:.5f}", *values]))
    write_text(path, "\n".join(lines) + "\n")
