"""The command `camerapose figure`."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from camerapose.cli.options import FIGURE_SUFFIXES, MaybeInt, MaybePath, Out, check_suffix


def figure(
    kind: Positional[Literal["keypoints", "compare", "gallery", "steps"]],
    results: Positional[Annotated[tuple[Path, ...], arg(metavar="RESULT ...")]],
    out: Out,
    input: MaybePath = None,
    frames: Annotated[tuple[int, ...], arg(metavar="INT ...")] = (),
    max_frames: MaybeInt = None,
) -> int:
    """Draw results of predict for a paper or a page.

        camerapose predict walk.mp4 -o result
        camerapose figure keypoints result --input walk.mp4 -o keypoints.png
        camerapose figure gallery result --input walk.mp4 --frames 0 25 60 -o gallery.pdf

        camerapose predict walk.mp4 -o mine --weights runs/mine
        camerapose figure compare result mine --input walk.mp4 -o compare.png

    Args:
        kind: keypoints: 2D joints and their confidences. compare: two models side by side, with
            arrows where they differ. gallery: 2D and 3D of several images. steps: detected 2D, 3D
            and reprojection, as drawn by predict.
        results: folder written by `camerapose predict`; two for compare.
        out: figure to write (.png, .jpg, .pdf or .svg).
        input: image, folder of images or video of the results; without it poses are drawn on a
            blank background.
        frames: numbers of the frames to draw, from 0; default: evenly spaced frames.
        max_frames: maximum number of evenly spaced frames.
    """
    check_suffix(out, FIGURE_SUFFIXES)
    from camerapose.view.figures import draw_results

    path = draw_results(kind, results, out, source=input, frames=frames, max_frames=max_frames)
    print(f"wrote {path}")
    return 0
