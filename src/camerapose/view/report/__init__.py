"""HTML report of a video or image: interactive 3D, curves over time and tables."""

import os
from pathlib import Path

from camerapose.core.poses import Poses
from camerapose.core.visibility import hidden_note
from camerapose.io.files import write_text
from camerapose.view.displayed import displayed
from camerapose.view.report import tables, template
from camerapose.view.report.payload import payload
from camerapose.view.report.recording import Recording as Recording
from camerapose.view.rows import split_people, thinned

#: Number of people in the report, those visible longest first.
MAX_PEOPLE = 20
#: Number of poses in the page: 11 minutes of a person at 30 frames per second. Every n-th frame of
#: longer recordings is shown.
MAX_POSES = 20_000


def write_report(
    poses: Poses,
    path: str | os.PathLike,
    title: str = "camerapose",
    recording: Recording | None = None,
) -> Path:
    """Write a self-contained page, which needs no network, atomically.

    Args:
        poses: numpy arrays with the label `frame`; `time` (seconds) and `person` if known.
        path: .html file.
        recording: video or images of the poses; None: only the poses are shown.

    Raises:
        ValueError: no poses, or poses without 3D, camera or image size.
        OSError: the file cannot be written.
    """
    if len(poses) == 0:
        raise ValueError("no person was detected, nothing to report")
    missing = [n for n in ("pose3d", "camera", "image_size") if getattr(poses, n) is None]
    if missing:
        raise ValueError(f"poses have no {' and no '.join(missing)}; pass a result of predict")
    recording = recording or Recording()
    people = split_people(poses)
    shown = sorted(people[:MAX_PEOPLE], key=lambda person: person[0])
    top = [tables.summary(poses, shown)]
    drawn, step = thinned(poses, MAX_POSES)
    if step > 1:
        numbers = {number for number, _ in shown}
        shown = sorted((p for p in split_people(drawn) if p[0] in numbers), key=lambda p: p[0])
        top.append(
            template.paragraph(
                f"3D and curves show one of {step} frames of this long recording; poses.json and "
                "exported files contain all."
            )
        )
    if recording.note:
        top.append(template.paragraph(recording.note))
    if note := hidden_note(displayed(poses)):
        top.append(template.paragraph(f"{note[0].upper()}{note[1:]}.".replace("_", " ")))
    if len(people) > MAX_PEOPLE:
        top.append(template.paragraph(f"{len(people) - MAX_PEOPLE} more people: see poses.json."))
    page = template.page(title, payload(drawn, shown, recording), top, [tables.refinement(poses)])
    path = Path(path)
    write_text(path, page)
    return path
