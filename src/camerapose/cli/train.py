"""The command `camerapose train`."""

import importlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from camerapose.cli.options import MaybeInt, Out
from camerapose.core import toml


def train(
    config: Positional[Path],
    out: Out,
    set: Annotated[tuple[str, ...], arg(metavar="KEY=VALUE ...")] = (),
    init: Annotated[str | None, arg(metavar="NAME|PATH")] = None,
    init_components: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = (),
    devices: MaybeInt = None,
    nodes: int = 1,
) -> int:
    """Train a model: refinement, warm-up and joint stage.

    Repeat the command to resume after an interruption, or with a larger joint.epochs to extend a
    finished run:

        camerapose train configs/smoke.toml -o runs/smoke      synthetic poses, under a minute
        camerapose train configs/quick.toml -o runs/quick      Human3.6M and MPII
        camerapose train configs/quick.toml -o runs/q3 --set joint.epochs=3 data.mpii=/d/mpii
        camerapose train configs/quick.toml -o runs/mine --init default       fine-tune
        camerapose train configs/paper.toml -o runs/paper --devices 4         four GPUs
        torchrun --nproc-per-node 4 --nnodes 2 ... -m camerapose train ...    two machines

    Several devices share each batch; the result is the same as on one (docs/scale.md).

    Args:
        config: TOML file with the settings that differ from the paper's.
        out: run folder for metrics.jsonl, figures and checkpoint/ (model.onnx at the end).
        set: settings that override the file's, by their names in it.
        init: weights to begin with: default, a run folder or a .safetensors file.
        init_components: components to take from them: refiner, lifter, camera_branch; default: all.
        devices: number of GPUs of this machine (with device=cpu: processes); default: one, or as
            many as torchrun started.
        nodes: number of machines; run the same command on each.
    """
    # Threads wait without spinning: on a machine with other load, training is several times faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name, value in (("devices", devices), ("nodes", nodes)):
        if value is not None and value < 1:
            raise ValueError(f"--{name} is {value}; require 1 or more")
    assignments = [_assignment(item) for item in set]
    if init is not None:
        assignments.append(({"init": init}, False))
    if init_components:
        assignments.append(({"init_components": [*init_components]}, False))
    from camerapose.train import config_io

    recipe = config_io.recipe(config)
    if recipe in ("simulated", "temporal"):
        return _train_recipe(recipe, config, out, assignments)
    from camerapose.train.trainer import train as run

    chosen = config_io.read(config)
    for differences, merge in assignments:
        chosen = config_io.update(chosen, differences, "--set", merge=merge)
    run(chosen, out, devices=devices, nodes=nodes)
    return 0


def _train_recipe(
    recipe: str, config: Path, out: Path, assignments: list[tuple[dict[str, Any], bool]]
) -> int:
    """Train with another recipe than the three stages, on one device."""
    from camerapose.train import config_io

    trainer = importlib.import_module(f"camerapose.train.{recipe}.trainer")
    chosen = trainer.read(config)
    for differences, merge in assignments:
        chosen = config_io.update(chosen, differences, "--set", merge=merge)
    trainer.train(chosen, out)
    return 0


def _assignment(item: str) -> tuple[dict[str, Any], bool]:
    """Parse `joint.epochs=3` into nested tables; a value that is not TOML is a string.

    Returns:
        The tables, and whether dictionaries in them name single keys (`arguments.width=64`) instead
        of all (`arguments={width=64}`).
    """
    key, equals, value = item.partition("=")
    if not equals:
        raise ValueError(f"--set takes KEY=VALUE, such as joint.epochs=3; got {item!r}")
    merge = not value.lstrip().startswith("{")
    try:
        return toml.parse(f"{key} = {value}"), merge
    except ValueError:
        return toml.parse(f"{key} = {json.dumps(value)}"), merge  # TOML has JSON's escapes
