"""The command `camerapose export`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from camerapose.cli.options import MaybePath, Weights, check_suffix


def export(
    checkpoint: Positional[Weights],
    out: Annotated[Path | None, arg(metavar="PATH", aliases=["-o"])] = None,
    hub: MaybePath = None,
    half: bool = False,
    int8: bool = False,
    compact: bool = False,
    license: str = "",
) -> int:
    """Export a checkpoint as an ONNX graph and a .safetensors file.

        camerapose export runs/quick -o my.onnx
        camerapose predict photo.jpg -o result --weights my.onnx
        camerapose export runs/quick --hub repository        layout of the Hugging Face Hub

    The graph is for `camerapose predict`; the .safetensors next to it is for evaluation and further
    training. With --compact there is one file for both. A temporal model of the weights is copied.

    Args:
        checkpoint: open, research, human36m, a run folder, checkpoint folder or .safetensors file.
        out: .onnx file to write.
        hub: folder for a model card, configuration, weights and graph, instead of --out.
        half: store the weights in half precision.
        int8: quantise weights and matrix products to 8 bits: faster, slightly less accurate.
        compact: store the weights in 10 bits, in a graph that is the checkpoint as well.
        license: licence of the weights; default: as in the checkpoint.
    """
    if (out is None) == (hub is None):
        raise ValueError("give either --out FILE.onnx or --hub DIR")
    if half + int8 + compact > 1:
        raise ValueError("--half, --int8 and --compact exclude each other; give one of them")
    if hub is not None:
        if int8 or compact:
            raise ValueError("--hub excludes --int8 and --compact; give --half or none of them")
        from camerapose.models.hub import export_hub

        for file in export_hub(checkpoint, hub, half, license):
            print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
        return 0
    assert out is not None
    check_suffix(out, (".onnx",))
    from camerapose.io.files import make_folder
    from camerapose.models.body_checkpoint import find_body_checkpoint
    from camerapose.models.body_export import export_body_checkpoint

    make_folder(out.parent)
    if (body := find_body_checkpoint(checkpoint)) is not None:
        if int8 or compact:
            raise ValueError(
                "--int8 and --compact are not available for weights trained on simulated "
                "detections; their graph is a checkpoint in any case: give --half"
            )
        files = export_body_checkpoint(body, out, half, license)
    elif compact:
        from camerapose.models.onnx_compact import export_compact_checkpoint

        export_compact_checkpoint(checkpoint, out, license)
        files = (out,)
    else:
        from camerapose.models.onnx_export import export_checkpoint

        files = export_checkpoint(checkpoint, out, half=half, license=license, int8=int8)
    from camerapose.models.temporal_export import copy_temporal

    for file in (*files, *copy_temporal(checkpoint, out)):
        print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
    return 0
