"""Project the duration of the paper's training schedule from measured steps."""

from collections import Counter
from typing import Any

#: The paper's schedule: pairs of Human3.6M, batch size, and epochs of each stage.
PAIRS, BATCH, EPOCHS = 1_464_400, 1024, {"refine": 100, "warmup": 10, "joint": 75}
#: Assumed, not measured, for a GPU of the class of an H200: seconds per small kernel within a
#: recorded graph and when launched from Python; products in TF32, operations per second.
GRAPH_KERNEL, EAGER_KERNEL, TF32 = 2.0e-6, 8.0e-6, 200e12
#: Share of the kernels that remain after fusion by a compiler.
FUSED = 1 / 6


def schedule(measured: dict[Any, Any], lifter: str, batch: int) -> str:
    """Return a table of the projected duration on one core and on a GPU, with assumptions.

    Args:
        measured: second result of `speed_training.training`.
        batch: batch size of the measured steps.
    """
    steps = PAIRS // BATCH
    seconds = {
        "refine": measured["refine"],
        "warmup": measured[lifter, "adversarial", "float32"],
        "joint": measured[lifter, "joint", "float32"],
    }
    calls = {
        "refine": measured["refine calls"],
        "warmup": measured[lifter, "adversarial"],
        "joint": measured[lifter, "joint"],
    }
    lines = [
        f"The paper's schedule ({EPOCHS['refine']} + {EPOCHS['warmup']} + {EPOCHS['joint']} epochs "
        f"of {PAIRS:,} pairs, `{lifter}`, batches of {BATCH}, {steps:,} iterations per epoch):",
        "",
        "| stage | iterations | one core, hours | operations (no views) | products, GFLOP | "
        "GPU: products, ms | eager, min | recorded graph, min | fused to a sixth, min |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    total: Counter[str] = Counter()
    for stage, one in calls.items():
        iterations, flops = EPOCHS[stage] * steps, one.flops() * BATCH / batch
        hours = EPOCHS[stage] * PAIRS * seconds[stage] / 3600
        busy, kernels = flops / TF32, one.kernels()
        times = {
            "hours": hours,
            "eager": iterations * max(busy, kernels * EAGER_KERNEL) / 60,
            "graph": iterations * (busy + kernels * GRAPH_KERNEL) / 60,
            "fused": iterations * (busy + kernels * FUSED * GRAPH_KERNEL) / 60,
        }
        total.update(times)
        lines.append(
            f"| {stage} | {iterations:,} | {hours:.0f} | {kernels:,} | {flops / 1e9:.0f} | "
            f"{busy * 1e3:.2f} | {times['eager']:.0f} | {times['graph']:.0f} | "
            f"{times['fused']:.0f} |"
        )
    lines += [
        f"| all | | {total['hours']:.0f} | | | | {total['eager']:.0f} | {total['graph']:.0f} | "
        f"{total['fused']:.0f} |",
        "",
        f"Two cores: about {total['hours'] / 2:.0f} hours, if two threads are twice as fast. The "
        "GPU columns are estimates: every operation that is not a view is one kernel, launching "
        f"it from Python takes {EAGER_KERNEL * 1e6:.0f} us, a kernel of a recorded graph "
        f"{GRAPH_KERNEL * 1e6:.0f} us, products run at {TF32 / 1e12:.0f} TFLOP/s in TF32, and "
        "fusion leaves a sixth of the kernels. Recording requires steps without synchronisation "
        "and with constant shapes, which holds here.",
    ]
    return "\n".join(lines)
