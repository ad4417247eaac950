"""Times of training steps on a device, relative to their bare matrix products."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from clock import Calls, calls_of
from speed_training import Steps

#: Precisions by torch's names: float32, TF32 and bfloat16 on GPUs.
PRECISIONS = {"fp32": "highest", "tf32": "high", "bf16": "medium"}
ROUNDS, REPETITIONS = 5, 10


def step_times(lifter: str, batch: int, device: torch.device) -> dict[str, Any]:
    """Return milliseconds of the steps of a lifter in each precision.

    Steps: the lifter alone, eagerly and as a CUDA graph; the joint iteration, eagerly. `products`:
    the matrix products of the joint iteration and nothing else.
    """
    result: dict[str, Any] = {"batch": batch}
    with tempfile.TemporaryDirectory() as folder:
        steps = Steps(lifter, batch, Path(folder), plain=False, device=device.type)
        steps.joint()  # allocates the states of the optimizers
        calls = calls_of(steps.joint)
        for name, precision in PRECISIONS.items():
            torch.set_float32_matmul_precision(precision)
            products = bare_products(calls, device)
            row = {
                "lifter": milliseconds(steps.lifter, device),
                "lifter, graph": milliseconds(captured(steps.lifter, device), device),
                "joint": milliseconds(steps.joint, device),
                "products": milliseconds(products, device),
            }
            row["joint / products"] = row["joint"] / row["products"]
            result[name] = row
        torch.set_float32_matmul_precision("highest")
    return result


def captured(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return the step as a CUDA graph, or unchanged on the CPU (not measured on a GPU).

    Source: the recipe of `torch.cuda.graph`: warm up in another stream, then capture.
    """
    if device.type != "cuda":
        return step
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def bare_products(calls: Calls, device: torch.device) -> Callable[[], None]:
    """Return a function that computes the matrix products of recorded calls and nothing else."""
    work = []
    for (name, tensors), count in calls.products.items():
        arguments = []
        for shape, stride in tensors:
            span = 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
            arguments.append(torch.randn(span, device=device).as_strided(shape, stride))
        work.append((getattr(torch, name), arguments, count))

    def run() -> None:
        for product, arguments, count in work:
            for _ in range(count):
                product(*arguments)

    return run


def milliseconds(function: Callable[[], Any], device: torch.device) -> float:
    """Return the median time of a call; the device has finished at the end."""
    repetitions = REPETITIONS if device.type == "cuda" else 1
    function()
    times = []
    for _ in range(ROUNDS):
        _wait(device)
        started = time.perf_counter()
        for _ in range(repetitions):
            function()
        _wait(device)
        times.append(1000 * (time.perf_counter() - started) / repetitions)
    return median(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
