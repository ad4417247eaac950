"""The command `camerapose evaluate`."""

from typing import Annotated

from tyro.conf import Positional, arg

from camerapose.cli.options import FIGURE_SUFFIXES, MaybeName, MaybePath, Weights, check_suffix


def evaluate(
    weights: Positional[Weights],
    root: MaybePath = None,
    dataset: Annotated[str, arg(metavar="NAME")] = "human36m",
    detections: MaybeName = None,
    subjects: Annotated[tuple[str, ...] | None, arg(metavar="NAME ...")] = None,
    frame_step: int = 1,
    device: Annotated[str, arg(metavar="NAME")] = "auto",
    flip_averaging: bool = False,
    rotated_views: bool = False,
    per_joint: bool = False,
    compare: Annotated[str | None, arg(metavar="NAME|PATH")] = None,
    gallery: MaybePath = None,
    json: MaybePath = None,
) -> int:
    """Measure a model on a test set and print the errors by action.

        camerapose evaluate open --root data/h36m --flip-averaging
        camerapose evaluate runs/quick --dataset humaneva --root data/humaneva
        camerapose evaluate runs/a --dataset my_lab --compare runs/b --gallery worst.png

    Args:
        weights: open, research, human36m, a run folder, a checkpoint folder, a .safetensors file or
            an exported .onnx file.
        root: folder of the data set's files; default: that of `camerapose data list`.
        dataset: test set: human36m; novel_landscape, novel_portrait (Human3.6M's poses seen by
            novel cameras); humaneva; mpi_inf_3dhp, mpi_inf_3dhp_14 (its official 14 joints);
            pw3d_16, pw3d_14, pw3d_24 (3DPW by number of joints); ski_pose; mpii (reprojection
            only); or any other of `camerapose data list`.
        detections: input 2D: NAME of data_2d_h36m_NAME.npz, or poses2d of 3DPW; default: ground
            truth.
        subjects: subjects of the data set; default: S9 S11 of Human3.6M, otherwise all.
        frame_step: keep every n-th frame.
        device: auto, cpu, cuda or cuda:N. Checkpoints run in PyTorch, .onnx files and open in ONNX
            Runtime, which needs the package onnxruntime-gpu for cuda and runs on the CPU with auto.
        flip_averaging: average over input and mirrored input.
        rotated_views: average over five views: the input and four cameras rotated by 5 degrees.
        per_joint: also print the error of each joint.
        compare: weights to compare with, pose by pose.
        gallery: write a figure of the worst cases to this .png, .jpg, .pdf or .svg file.
        json: also write the result to this file.
    """
    if gallery is not None:
        check_suffix(gallery, FIGURE_SUFFIXES)
    from camerapose.evaluate.run import evaluate as run
    from camerapose.evaluate.worst import Report

    report = Report(per_joint, compare, gallery)
    run(weights, dataset, root, detections=detections, subjects=subjects, frame_step=frame_step,
        flip_averaging=flip_averaging, rotated_views=rotated_views, device=device, json_file=json,
        report=report)  # fmt: skip
    return 0
