"""The command `camerapose adapt`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from camerapose.cli.options import MaybeInt, MaybeName, MaybePath, Out, Weights
from camerapose.io.weights import DEFAULT_CAMERAPOSE


def adapt(
    annotations: Positional[Path],
    out: Out,
    weights: Weights = DEFAULT_CAMERAPOSE,
    skeleton: MaybeName = None,
    image_size: Annotated[tuple[int, int] | None, arg(metavar="WIDTH HEIGHT")] = None,
    unit: MaybeName = None,
    human36m: MaybePath = None,
    held_out: float = 0.2,
    steps: MaybeInt = None,
    images: MaybePath = None,
    seed: int = 0,
) -> int:
    """Fine-tune a model on your own 2D annotations; no 3D labels are needed.

    A fifth of the images is held out to measure the model before and after:

        camerapose adapt person_keypoints.json -o runs/mine
        camerapose predict video.mp4 -o result --weights runs/mine

    Args:
        annotations: COCO keypoints, or any other supported keypoint file.
        out: folder for model.onnx, model.safetensors, adapt.json and adapt.png.
        weights: initial weights: human36m, a run folder, a checkpoint folder or a .safetensors
            file of a CameraPose model.
        skeleton: joint format of annotations that do not state it, such as coco_17.
        image_size: image size of annotations that do not state it, in pixels.
        unit: unit of the coordinates: pixel, unit (0 to 1), percent, symmetric (-1 to 1 over the
            width) or corners (-1 to 1 in both directions); default: recognised.
        human36m: folder of Human3.6M, to replay its 2D-3D pairs instead of synthetic bodies.
        held_out: share of the images held out for measuring.
        steps: number of iterations; default: by the number of annotations.
        images: folder of the annotated images, to draw some people before and after.
        seed: random seed.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"--held-out is {held_out}; give a share between 0 and 1")
    if steps is not None and not 1 <= steps <= 10_000_000:
        raise ValueError(f"--steps is {steps}; give 1 to 10 million")
    if not 0 <= seed < 1 << 32:
        raise ValueError(f"--seed is {seed}; give 0 to {(1 << 32) - 1}")
    if image_size is not None and min(image_size) < 1:
        raise ValueError(f"--image-size is {image_size}; give width and height in pixels")
    from camerapose.train.finetune import adapt as run

    result = run(weights, annotations, out, skeleton=skeleton, image_size=image_size,
                 unit=unit, human36m=human36m, held_out=held_out, steps=steps, images=images,
                 seed=seed)  # fmt: skip
    names = {"reprojection_error": ("reprojection error, pixels", 1.0),
             "implausible_bones": ("implausible bone lengths, %", 100.0),
             "asymmetry": ("left-right asymmetry, %", 100.0),
             "replay_mpjpe": (f"MPJPE on the replay ({result['replay']}), mm", 1.0)}  # fmt: skip
    print(f"trained on {result['trained_on']} people, tested on {result['tested_on']} others")
    print(f"{'':44}{'before':>10}{'after':>10}")
    for key, (name, unit) in names.items():
        before, after = (result[when][key] * unit for when in ("before", "after"))
        print(f"{name:44}{before:10.2f}{after:10.2f}")
    print(f"wrote {out} (camerapose predict VIDEO -o DIR --weights {out})")
    return 0
