"""TRC, the marker file of OpenSim: metres, y up; NaN where there is no pose.

Layout: OpenSim documentation, "Marker (.trc) files". OpenSim ignores NaN; it rejects empty cells.
"""

from pathlib import Path

from camerapose.io.export import Track
from camerapose.io.files import atomic_write

EXTENSION = ".trc"


def write(path: Path, track: Track) -> None:
    """Write one marker per joint, with the name of the joint."""
    frames, joints = len(track.points), track.skeleton.joints
    rate = f"{track.fps:.8g}"
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
    rows = zip(track.times, track.points, track.present, strict=True)
    with atomic_write(path, "w") as file:
        file.writelines(line + "\n" for line in lines)
        for i, (time, pose, present) in enumerate(rows):
            values = [f"{v:.5f}" if present else "NaN" for v in pose.ravel()]
            file.write("\t".join([str(i + 1), f"{time:.6f}", *values]) + "\n")
