"""The command `camerapose export`."""

from tyro.conf import Positional

from camerapose.cli.options import Out, Weights, check_suffix


def export(
    checkpoint: Positional[Weights],
    out: Out,
    half: bool = False,
    int8: bool = False,
    license: str = "",
) -> int:
    """Export a checkpoint as an ONNX graph and a .safetensors file.

        camerapose export runs/quick -o my.onnx
        camerapose predict photo.jpg -o result --weights my.onnx

    The graph is for `camerapose predict`; the .safetensors next to it is for evaluation and further
    training.

    Args:
        checkpoint: default, a run folder, a checkpoint folder or .safetensors file.
        out: .onnx file to write.
        half: store the weights in half precision.
        int8: quantise weights and matrix products to 8 bits: faster, slightly less accurate.
        license: licence of the weights; default: as in the checkpoint.
    """
    check_suffix(out, (".onnx",))
    from camerapose.models.onnx_export import export_checkpoint

    for file in export_checkpoint(checkpoint, out, half=half, license=license, int8=int8):
        print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
    return 0
