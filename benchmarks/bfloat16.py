"""Compare trainings with matrix products in float32 and in bfloat16.

    python benchmarks/bfloat16.py --data DIR                       # `mlp`, two seeds
    python benchmarks/bfloat16.py --data DIR --lifter parts --seeds 0 1 2

The row CameraPose of the accuracy tables (configs/matrix.toml) with S8 held out, once in float32
and once with the factors of every product, forward and backward, rounded to bfloat16 and sums in
float32. This is what `precision = "bfloat16"` does on processors and GPUs that support it. Here the
factors are rounded explicitly, so that every processor gives the same result.
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
#: Matrix products, and the indices of their factors among the arguments.
PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2)}


class Rounded(TorchDispatchMode):
    """Round the factors of matrix products to bfloat16; `count` is the number of products."""

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
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder that contains h36m and mpii"
    )
    parser.add_argument("--lifter", choices=LIFTERS, default="mlp")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    arguments = parser.parse_args()
    print("| products | seed | MPJPE | PA-MPJPE | root |\n| --- | --- | --- | --- | --- |")
    for seed in arguments.seeds:
        for rounded in (False, True):
            measured = trained(arguments.data, arguments.lifter, seed, rounded)
            cells = [f"{measured[k]:.1f}" for k in ("mpjpe", "pa_mpjpe", "root_error")]
            name = "bfloat16" if rounded else "float32"
            print(f"| {name} | {seed} | " + " | ".join(cells) + " |", flush=True)


def trained(data: Path, lifter: str, seed: int, rounded: bool) -> dict[str, float]:
    """Return the metrics of the last epoch on S8."""
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
            assert products.count, "no product was rounded"
        else:
            train(config, folder)
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [line["validation"] for line in map(json.loads, lines) if "validation" in line][-1]


if __name__ == "__main__":
    main()
