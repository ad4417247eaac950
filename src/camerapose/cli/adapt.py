"""The command `camerapose adapt`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from camerapose.cli.options import MaybeInt, MaybeName, MaybePath


def adapt(
    annotations: Positional[Path],
    out: Path,
    weights: str = "default",
    skeleton: MaybeName = None,
    image_size: Annotated[tuple[int, int] | None, arg(metavar="WIDTH HEIGHT")] = None,
    human36m: MaybePath = None,
    held_out: float = 0.2,
    steps: MaybeInt = None,
    images: MaybePath = None,
    seed: int = 0,
) -> int:
    """Tune a model with your own 2D annotations; no 3D label is needed.

    A fifth of the images is kept aside to measure on, before and after:

        camerapose adapt person_keypoints.json --out runs/mine
        camerapose predict video.mp4 --out result --weights runs/mine

    Args:
        annotations: COCO keypoints as annotation tools write them, or any other keypoints.
        out: folder for model.onnx, model.safetensors, adapt.json and adapt.png.
        weights: initial weights: default for the weights in this package, a run folder, a
            checkpoint folder or a .safetensors file.
        skeleton: joint format of annotations that don't say it.
        image_size: of annotations that don't say it, in pixels.
        human36m: folder of Human3.6M, to hold on to true pairs instead of made bodies.
        held_out: share of the images to measure on.
        steps: iterations; without it by the number of annotations.
        images: folder of the annotated images, to draw some of the people on before and after.
        seed: of everything random.
    """
    from camerapose.train.finetune import adapt as run

    found = run(weights, annotations, out, skeleton=skeleton, image_size=image_size,
                human36m=human36m, held_out=held_out, steps=steps, images=images,
                seed=seed)  # fmt: skip
    names = {"reprojection_error": ("reprojection error, pixels", 1.0),
             "implausible_bones": ("bones outside human proportions, %", 100.0),
             "asymmetry": ("left and right differ by, %", 100.0),
             "replay_mpjpe": (f"MPJPE on the replay ({found['replay']}), mm", 1.0)}  # fmt: skip
    print(f"learned from {found['learned_from']} people, measured on {found['measured_on']} others")
    print(f"{'':44}{'before':>10}{'after':>10}")
    for key, (name, unit) in names.items():
        before, after = (found[when][key] * unit for when in ("before", "after"))
        print(f"{name:44}{before:10.2f}{after:10.2f}")
    print(f"wrote {out} (camerapose predict VIDEO --weights {out} --out DIR)")
    return 0
