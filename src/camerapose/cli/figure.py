"""The command `camerapose figure`."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from camerapose.cli.options import MaybeInt, MaybePath


def figure(
    kind: Positional[Literal["keypoints", "compare", "gallery", "steps"]],
    results: Positional[Annotated[tuple[Path, ...], arg(metavar="RESULT ...")]],
    out: Path,
    input: MaybePath = None,
    frames: Annotated[tuple[int, ...], arg(metavar="INT ...")] = (),
    max_frames: MaybeInt = None,
) -> int:
    """A picture of results, for a paper or a page.

        camerapose predict walk.mp4 --out result
        camerapose figure keypoints result --input walk.mp4 --out keypoints.png
        camerapose figure gallery result --input walk.mp4 --frames 0 25 60 --out gallery.pdf

        camerapose predict walk.mp4 --out mine --weights runs/mine
        camerapose figure compare result mine --input walk.mp4 --out compare.png

    Args:
        kind: keypoints: 2D joints and their confidences. compare: two models side by side, with
            arrows where they differ. gallery: 2D and 3D of many images. steps: detected 2D, 3D
            and reprojection, as predict draws them.
        results: folder of a `camerapose predict`; two for compare.
        out: the picture; .png, .jpg, .pdf or .svg.
        input: the photo, folder of images or video that the results are of; without it poses
            stand on a plain ground.
        frames: numbers of the frames to show, from 0; without it some, evenly spread.
        max_frames: number of frames to select without --frames.
    """
    from camerapose.view.figures import draw_results

    path = draw_results(kind, results, out, source=input, frames=frames, max_frames=max_frames)
    print(f"wrote {path}")
    return 0
