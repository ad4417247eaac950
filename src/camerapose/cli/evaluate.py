"""The command `camerapose evaluate`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from camerapose.cli.options import MaybeName, MaybePath, Weights


def evaluate(
    weights: Positional[Weights],
    root: Path,
    dataset: Annotated[str, arg(metavar="NAME")] = "human36m",
    detections: MaybeName = None,
    subjects: tuple[str, ...] = ("S9", "S11"),
    frame_step: int = 1,
    mirror: bool = False,
    turned: bool = False,
    json: MaybePath = None,
) -> int:
    """Measure a model on a test set and print the errors by action.

        camerapose evaluate runs/quick --dataset human36m --root data/h36m

    Args:
        weights: default or clean for the weights in this package, a run folder, a checkpoint
            folder, or an .onnx or .safetensors file.
        root: folder of the data set's files.
        dataset: which protocol: human36m; unlike_landscape, unlike_portrait (Human3.6M's poses
            through other cameras); humaneva; mpi_inf_3dhp, mpi_inf_3dhp_14 (its official 14
            joints); pw3d_16, pw3d_14, pw3d_24 (3DPW by number of joints); ski_pose; mpii
            (reprojection only).
        detections: NAME of data_2d_h36m_NAME.npz to take as 2D, or poses2d of 3DPW; without it
            ground truth.
        subjects: of Human3.6M.
        frame_step: take every so many frames.
        mirror: average over the mirrored input.
        turned: average over five views: the image's own and four by cameras turned by 5 degrees.
        json: also write the numbers here.
    """
    from camerapose.evaluate.run import evaluate as run

    run(weights, dataset, root, detections=detections, subjects=subjects, frame_step=frame_step,
        mirror=mirror, turned=turned, json_file=json)  # fmt: skip
    return 0
