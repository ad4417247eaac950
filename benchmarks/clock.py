"""Measure and compare processor time, and count the operations of a training step."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
#: Operations that only create another view of memory.
VIEWS = {
    "t", "detach", "view", "slice", "unsqueeze", "transpose", "expand", "select", "empty",
    "empty_like", "_unsafe_view", "split", "split_with_sizes", "alias", "squeeze", "permute",
    "unbind", "_reshape_alias", "as_strided", "diagonal", "new_empty", "empty_strided",
}  # fmt: skip
#: Operations that wait for the device.
SYNCHRONISATIONS = {"_local_scalar_dense", "is_nonzero", "nonzero", "item", "equal"}


class Row(NamedTuple):
    """One line of a table."""

    what: str
    time: float
    unit: str
    of_products: float | None = None
    ratio: float | None = None
    goal: str = ""
    note: str = ""


def race(rounds: int, **runners: Callable[[], Any]) -> dict[str, list[float]]:
    """Return seconds of processor time of each runner per round, run alternately.

    A first round is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, run in runners.items():
            started = time.process_time()
            run()
            if number:
                times[name].append(time.process_time() - started)
    return times


def ratio(slow: list[float], fast: list[float]) -> float:
    """Return the median ratio of the rounds."""
    return median(a / b for a, b in zip(slow, fast, strict=True))


class Calls(TorchDispatchMode):
    """Count the operations that are executed, including backward pass and optimizer."""

    def __init__(self):
        super().__init__()
        self.names: Counter[str] = Counter()
        self.products: Counter[tuple] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.names[name] += 1
        if name in PRODUCTS:
            tensors = [a for a in args if isinstance(a, Tensor)]
            self.products[name, tuple((a.shape, a.stride()) for a in tensors)] += 1
        return function(*args, **(kwargs or {}))

    def kernels(self) -> int:
        """Return the number of operations that are not views."""
        return sum(count for name, count in self.names.items() if name not in VIEWS)

    def synchronisations(self) -> int:
        return sum(count for name, count in self.names.items() if name in SYNCHRONISATIONS)

    def flops(self) -> float:
        """Return the floating-point operations of the matrix products."""
        total = 0.0
        for (name, tensors), count in self.products.items():
            (a, _), (b, _) = tensors[-2:]
            batch = a[0] if "bmm" in name else 1
            total += 2.0 * count * batch * a[-2] * a[-1] * b[-1]
        return total


def calls_of(run: Callable[[], Any]) -> Calls:
    """Return the operations of a call."""
    with Calls() as calls:
        run()
    return calls


def bare_products(calls: Calls, dtype: torch.dtype = torch.float32) -> Callable[[], None]:
    """Return a function that computes the same matrix products and nothing else."""
    work = []
    for (name, tensors), count in calls.products.items():
        arguments = [torch.randn(_span(*one)).to(dtype).as_strided(*one) for one in tensors]
        work.append((getattr(torch, name), arguments, count))

    def run() -> None:
        for product, arguments, count in work:
            for _ in range(count):
                product(*arguments)

    return run


def _span(shape: tuple[int, ...], stride: tuple[int, ...]) -> int:
    return 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))


def table(rows: list[Row], heads: tuple[str, ...]) -> str:
    """Return a Markdown table.

    Args:
        heads: columns; "of bare products", "usual way" and "note" select the optional ones.
    """
    lines = [heads, ("---",) * len(heads)]
    for row in rows:
        cells = [row.what, f"{digits(row.time)} {row.unit}"]
        if "of bare products" in heads:
            cells.append("" if row.of_products is None else f"{100 * row.of_products:.0f}%")
        if any("usual way" in head for head in heads):
            cells.append("" if row.ratio is None else f"{row.ratio:.2f}x")
        cells.append(row.goal)
        if "note" in heads:
            cells.append(row.note)
        lines.append(tuple(cells))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def report(row: Row) -> None:
    """Print a row as soon as it is measured."""
    faster = "" if row.ratio is None else f"  {row.ratio:.2f}x"
    print(f"  {row.what}: {digits(row.time)} {row.unit}{faster}", file=sys.stderr, flush=True)
