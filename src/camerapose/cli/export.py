"""The command `camerapose export`."""

from pathlib import Path

from tyro.conf import Positional


def export(
    checkpoint: Positional[str],
    out: Path,
    half: bool = False,
    int8: bool = False,
    license: str = "",
) -> int:
    """Write a checkpoint as one ONNX graph, which `camerapose predict` runs, and beside it the
    .safetensors from which evaluation and training go on.

    Args:
        checkpoint: default for the weights in this package, a run folder, a checkpoint folder or
            a .safetensors file.
        out: the .onnx file to write.
        half: store weights in half precision.
        int8: weights and products in eight bits: faster, and a little less exact.
        license: of the weights; without it what the checkpoint says.
    """
    from camerapose.models.onnx_export import export_checkpoint

    for file in export_checkpoint(checkpoint, out, half=half, license=license, int8=int8):
        print(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")
    return 0
