"""The command `camerapose train`."""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from camerapose.cli.options import MaybeInt


def train(
    config: Positional[Path],
    out: Path,
    set: Annotated[tuple[str, ...], arg(metavar="KEY=VALUE ...")] = (),
    devices: MaybeInt = None,
    nodes: int = 1,
) -> int:
    """Train refinement, warm-up and joint stage.

    Repeat the command to go on after an interruption:

        camerapose train configs/smoke.toml --out runs/smoke      synthetic poses, under a minute
        camerapose train configs/quick.toml --out runs/quick      Human3.6M and MPII
        camerapose train configs/quick.toml --out runs/q3 --set joint.epochs=3 data.mpii=/d/mpii
        camerapose train configs/paper.toml --out runs/paper --devices 4         four GPUs
        torchrun --nproc-per-node 4 --nnodes 2 ... -m camerapose.cli train ...   two machines

    Several devices share each batch, and learn what one would (docs/scale.md).

    Args:
        config: TOML with what differs from the paper's settings.
        out: run folder: metrics.jsonl, pictures, and checkpoint/ with model.onnx at the end.
        set: settings that differ from the file's, by their names in it.
        devices: GPUs of this machine (with device=cpu: processes) that train together; without it
            one, or as many as torchrun started.
        nodes: machines that train together; run the same command on each.
    """
    # Threads that wait without spinning: on a busy machine training is several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from camerapose.train import config as settings
    from camerapose.train.trainer import train as run

    chosen = settings.read(config)
    for item in set:
        chosen = settings.update(chosen, _assignment(item), "--set")
    run(chosen, out, devices=devices, nodes=nodes)
    return 0


def _assignment(item: str) -> dict[str, Any]:
    """`joint.epochs=3` as nested tables; what is no TOML value is a string."""
    key, equals, value = item.partition("=")
    if not equals:
        raise ValueError(f"--set takes KEY=VALUE, such as joint.epochs=3; it got {item!r}")
    try:
        return tomllib.loads(f"{key} = {value}")
    except tomllib.TOMLDecodeError:
        return tomllib.loads(f"{key} = {json.dumps(value)}")
