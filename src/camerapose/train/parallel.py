"""Data-parallel networks whose results equal those of a single process.

Every process holds all data and the same networks, and draws the same random numbers. It sends only
its own rows of a batch through a network (`parallelize`); outputs are gathered, so losses and log
see the whole batch. Gradients are summed (`sum_gradients`), and all processes take the same step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch import distributed as dist

from camerapose.train.distributed import process_count


class RowRange(NamedTuple):
    """Rows of a batch that belong to one process."""

    start: int
    stop: int
    total: int

    @classmethod
    def of(cls, n: int, rank: int, processes: int) -> "RowRange":
        """Divide n rows evenly."""
        return cls(n * rank // processes, n * (rank + 1) // processes, n)

    @property
    def own(self) -> slice:
        return slice(self.start, self.stop)


#: The rows that pass through a parallel network at the moment; None outside of its forward pass.
_rows: RowRange | None = None


def parallelize(network: nn.Module) -> None:
    """Make a network process only the rows of its process, and return all rows.

    Batch norm uses the statistics of all rows, and dropout draws masks for all rows, so results are
    those of one process. The first dimension of inputs and outputs is the batch; inside the network
    as well, where there is batch norm or dropout. A network that draws random numbers has a method
    `draw(n, generator, device)`, and its `forward` accepts the result in place of a
    `torch.Generator`. In a single process nothing changes.
    """
    if process_count() == 1:
        return
    network.forward = partial(_forward, network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.forward = partial(_batch_norm, module)
        elif isinstance(module, nn.Dropout):
            module.forward = partial(_dropout, module)


@contextmanager
def in_one_process(network: nn.Module) -> Iterator[nn.Module]:
    """Undo `parallelize` temporarily, for work that only one process does."""
    parallel = {m: m.__dict__.pop("forward") for m in network.modules() if "forward" in m.__dict__}
    try:
        yield network
    finally:
        for module, forward in parallel.items():
            module.forward = forward


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Sum the gradients of all processes."""
    if process_count() == 1:
        return
    trained = [p for p in parameters if p.grad is not None]
    flat = torch.cat([p.grad.flatten() for p in trained])
    dist.all_reduce(flat)
    for p, grad in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
        p.grad = grad.view_as(p)


def _forward(network: nn.Module, *inputs: Any) -> Any:
    global _rows
    forward = partial(type(network).forward, network)
    if _rows is not None:  # part of a network that is parallel already
        return forward(*inputs)
    n, device = len(inputs[0]), inputs[0].device
    inputs = tuple(
        network.draw(n, value, device) if isinstance(value, torch.Generator) else value
        for value in inputs
    )
    _rows = RowRange.of(n, dist.get_rank(), process_count())
    try:
        own = [_Select.apply(t, _rows) for t in _tensors(inputs)]
        outputs = forward(*_with_tensors(inputs, own))
        columns = [t.flatten(1) for t in _tensors(outputs)]
        gathered = _Gather.apply(torch.cat(columns, dim=1), _rows)
    finally:
        _rows = None
    whole = gathered.split([c.shape[1] for c in columns], dim=1)
    return _with_tensors(
        outputs,
        [
            w.unflatten(1, t.shape[1:]) if t.ndim > 1 else w[:, 0]
            for w, t in zip(whole, _tensors(outputs), strict=True)
        ],
    )


def _batch_norm(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Apply batch norm with the statistics of the rows of all processes.

    A subclass with its own `forward` has its channels in the last dimension.
    """
    if _rows is None or not norm.training:
        return type(norm).forward(norm, x)
    dim = 1 if type(norm).forward is nn.BatchNorm1d.forward else -1
    last = x.movedim(dim, -1)
    flat = last.flatten(0, -2)
    ranges = [RowRange.of(_rows.total, rank, process_count()) for rank in range(process_count())]
    sizes = torch.tensor([r.stop - r.start for r in ranges], device=x.device)[:, None]
    sizes = sizes * last.shape[1:-1].numel()
    own_mean = flat.sum(0) / max(len(flat), 1)
    own = torch.stack([own_mean, (flat - own_mean).square().sum(0)])
    mask = torch.arange(process_count(), device=x.device) == dist.get_rank()
    means, squares = _Sum.apply(mask[:, None, None] * own).unbind(1)
    n = sizes.sum()
    mean = (sizes * means).sum(0) / n
    square = (squares + sizes * (means - mean).square()).sum(0)
    scale = (square / n + norm.eps).rsqrt() * norm.weight
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(square / (n - 1), norm.momentum)
    normalised = torch.addcmul(norm.bias - mean * scale, flat, scale)
    return normalised.view_as(last).movedim(-1, dim)


def _dropout(dropout: nn.Dropout, x: Tensor) -> Tensor:
    """Apply dropout with this process's rows of the mask for the whole batch."""
    if _rows is None or not dropout.training:
        return type(dropout).forward(dropout, x)
    mask = type(dropout).forward(dropout, x.new_ones(_rows.total, *x.shape[1:]))
    return x * mask[_rows.own]


class _Sum(torch.autograd.Function):
    """Sum over all processes, in the backward pass as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x.clone())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _summed(grad.clone())


class _Select(torch.autograd.Function):
    """Own rows of a tensor that all processes hold; its gradient has all rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: RowRange) -> Tensor:
        ctx.rows = rows
        return x[rows.own].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _summed(_padded(grad, ctx.rows)), None


class _Gather(torch.autograd.Function):
    """All rows of a tensor of which each process holds its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: RowRange) -> Tensor:
        ctx.rows = rows
        return _summed(_padded(x, rows))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad[ctx.rows.own].clone(), None


def _padded(x: Tensor, rows: RowRange) -> Tensor:
    whole = x.new_zeros(rows.total, *x.shape[1:])
    whole[rows.own] = x
    return whole


def _summed(x: Tensor) -> Tensor:
    x = x.contiguous()
    dist.all_reduce(x)
    return x


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors in nested tuples and dataclasses."""
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in _parts(value) for tensor in _tensors(part)]


def _with_tensors(value: Any, tensors: Sequence[Tensor]) -> Any:
    """Return the same nested structure with other tensors."""
    return _filled(value, iter(tensors))


def _filled(value: Any, tensors: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(tensors)
    parts = [_filled(part, tensors) for part in _parts(value)]
    if isinstance(value, tuple):
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if is_dataclass(value):
        return replace(value, **dict(zip((f.name for f in fields(value)), parts, strict=True)))
    return value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return list(value)
    return [getattr(value, f.name) for f in fields(value)] if is_dataclass(value) else []
