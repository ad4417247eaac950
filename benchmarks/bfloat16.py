"""Whether training comes out the same with matrix products in bfloat16.

    python benchmarks/bfloat16.py --data DIR                       # `mlp`, two seeds, both ways
    python benchmarks/bfloat16.py --data DIR --lifter parts --seeds 0 1 2

The row CameraPose of the accuracy tables (configs/matrix.toml) with S8 held out and measured, once
in float32 and once with every product's factors, forward and backward, rounded to bfloat16 and its
sums in float32: what `precision = "bfloat16"` does on processors and GPUs that have such products.
Here the rounding is done in so many words, so that it happens on every processor.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from rows import LIFTERS, METHODS, WITHOUT, nested
from torch.utils._python_dispatch import TorchDispatchMode

from camerapose.train import config_io
from camerapose.train.trainer import train

CONFIG = Path(__file__).parents[1] / "configs" / "matrix.toml"
#: Products, and which of their arguments are factors.
PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2)}


class Rounded(TorchDispatchMode):
    """Matrix products of factors rounded to bfloat16; `count` of them."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        factors = PRODUCTS.get(function.overloadpacket.__name__, ())
        if factors:
            self.count += 1
            args = [_rounded(a) if i in factors else a for i, a in enumerate(args)]
        return function(*args, **(kwargs or {}))


def _rounded(factor: torch.Tensor) -> torch.Tensor:
    return factor.bfloat16().float() if factor.dtype == torch.float32 else factor


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds h36m and mpii")
    parser.add_argument("--lifter", choices=LIFTERS, default="mlp")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    arguments = parser.parse_args()
    print("| products | seed | MPJPE | PA-MPJPE | root |\n| --- | --- | --- | --- | --- |")
    for seed in arguments.seeds:
        for rounded in (False, True):
            found = trained(arguments.data, arguments.lifter, seed, rounded)
            cells = [f"{found[k]:.1f}" for k in ("mpjpe", "pa_mpjpe", "root_error")]
            name = "bfloat16" if rounded else "float32"
            print(f"| {name} | {seed} | " + " | ".join(cells) + " |", flush=True)


def trained(data: Path, lifter: str, seed: int, rounded: bool) -> dict[str, float]:
    """What the last epoch's validation on S8 found."""
    changes = LIFTERS[lifter] | METHODS["camerapose"][1] | WITHOUT
    where = {"human36m": str(data / "h36m"), "mpii": str(data / "mpii"), "held_out": ["S8"]}
    config = config_io.update(
        config_io.read(CONFIG), {"seed": seed, "precision": "float32", "data": where}, "bfloat16.py"
    )
    for key, value in changes.items():
        config = config_io.update(config, nested(key, value), "bfloat16.py")
    with tempfile.TemporaryDirectory() as folder:
        if rounded:
            with Rounded() as products:
                train(config, folder)
            assert products.count, "no product passed through the rounding"
        else:
            train(config, folder)
        said = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [line["validation"] for line in map(json.loads, said) if "validation" in line][-1]


if __name__ == "__main__":
    main()
