"""Speed of training, data, metrics and inference, compared with bare products and the usual way.

    python benchmarks/speed.py --quick                  # within 5 minutes on 2 idle cores
    python benchmarks/speed.py --data DIR --write       # everything, into dev/results.md

Everything runs on one thread and is measured in processor time, so that other programs have little
influence. Runs that are compared alternate within one process; a ratio is the median of the ratios
of the rounds, a time the median of the rounds. "Of bare products" is the time of the matrix
products of a step, with the same shapes and strides, relative to the time of the whole step. "The
usual way" is `benchmarks/peer.py`.

DIR contains h36m, for the first batch from the raw files.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy and torch are imported
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import torch
from clock import table
from report import put_table
from speed_data import batches, first_batch, memory
from speed_inference import errors, inference, start
from speed_schedule import schedule
from speed_training import limits, operations, training

DOCUMENT = Path(__file__).parents[1] / "dev" / "results.md"
LIFTERS = ("videopose", "mlp", "parts", "semgcn", "stgcn")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller batches")
    parser.add_argument("--data", type=Path, help="folder that contains h36m")
    parser.add_argument("--lifters", nargs="*", default=list(LIFTERS), choices=LIFTERS)
    parser.add_argument("--write", action="store_true", help="write the tables to dev/results.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rounds, batch = (2, 256) if arguments.quick else (7, 1024)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        parts = measure(arguments, rounds, batch, Path(temporary))
    minutes = (time.monotonic() - started) / 60
    parts.append(
        f"PyTorch {torch.__version__}, one thread, {_processor()}; {rounds} rounds, "
        f"{minutes:.0f} minutes."
    )
    text = "\n\n".join(parts)
    print(text)
    if arguments.write:
        put_table(text, DOCUMENT, "speed")
        print(f"wrote {DOCUMENT}", file=sys.stderr)


def measure(arguments: argparse.Namespace, rounds: int, batch: int, folder: Path) -> list[str]:
    """Return titles and tables in turn."""
    os.environ["CAMERAPOSE_CACHE"] = str(folder / "cache")
    lifters = arguments.lifters
    steps, measured = training(lifters, batch, rounds, folder, arguments.quick)
    data = [
        batches(rounds),
        memory(lifters[0], batch),
        *first_batch(arguments.data, rounds, folder),
        *errors(rounds, 20_000 if arguments.quick else 200_000),
        *start(rounds),
    ]
    versus = "compared with the usual way"
    return [
        "Limits of one core:",
        table(limits(rounds), ("product", "speed", "goal")),
        f"Training, batches of {batch}:",
        table(steps, ("step", "time", "of bare products", versus, "goal")),
        "Operations of one adversarial iteration: forward, backward and optimizers:",
        table(
            operations(measured, lifters),
            ("iteration", "count", "fewer than the usual way", "goal", "note"),
        ),
        "Data, metrics, start of the package:",
        table(data, ("what", "time", versus, "goal", "note")),
        "Inference; the usual way is the lifter `videopose` built of convolutions, in PyTorch:",
        table(inference(rounds, folder), ("what", "time", versus, "goal")),
        schedule(measured, lifters[0], batch),
    ]


def _processor() -> str:
    """Return the relevant instruction sets of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return sys.platform
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    relevant = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")
    return "a processor with " + ", ".join(name for name in relevant if name in flags)


if __name__ == "__main__":
    main()
