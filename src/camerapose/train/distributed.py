"""Several processes, on one machine or many, that train as one.

Every process has all the data, draws the same random numbers and holds the same networks. Of a
batch it sends only its own rows through them (`share`); what comes out is gathered, so losses,
the game and the log see whole batches, and are those of one process. Gradients are added up
(`sum_gradients`), and every process takes the same step. Lightning Fabric starts the processes and
gives each its device.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist

T = TypeVar("T")


# --- starting, and agreeing


@contextmanager
def together(devices: int | None, nodes: int, kind: str) -> Iterator[None]:
    """Makes this process one of `devices` times `nodes`; alone, or within itself, it does nothing.

    Started by `torchrun` it joins the others. Else it starts the others of its machine, by its own
    command line; on several machines the same command runs on each (`NODE_RANK`, `MASTER_ADDR`
    and `MASTER_PORT` tell who is who).

    Args:
        devices: processes on this machine. None: as many as `torchrun` says, else one.
        nodes: machines.
        kind: of device, "cuda" or "cpu".

    Raises:
        ValueError: there are not so many devices, or Lightning Fabric is not installed.
    """
    total = int(os.environ.get("WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if devices is None and total > 1:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = total // devices
    devices = 1 if devices is None else devices
    _check(devices, nodes, kind)
    if devices * nodes == 1 or count() > 1:
        yield
        return
    fabric = _fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    started = getattr(fabric.strategy.launcher, "procs", [])
    try:
        if first():
            yield
        else:
            with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
                yield
        for process in started:
            process.wait()
    except BaseException as error:
        for process in started:  # they wait for this one, and would for ever
            process.kill()
        if first() or not isinstance(error, ValueError | OSError):
            raise
        place = f"process {dist.get_rank()} of {count()}"
        raise ValueError(f"{place}: {error}") from error
    finally:
        dist.destroy_process_group()


def _check(devices: int, nodes: int, kind: str) -> None:
    if devices < 1 or nodes < 1:
        raise ValueError(
            f"{devices} devices on {nodes} nodes; give 1 or more of each, such as --devices 4"
        )
    if kind == "cuda" and devices > torch.cuda.device_count():
        raise ValueError(
            f"{devices} devices were asked for and torch sees {torch.cuda.device_count()} here; "
            "give fewer with --devices, or take processors with --set device=cpu"
        )


def _fabric(**options: Any) -> Any:
    try:
        from lightning_fabric import Fabric
    except ModuleNotFoundError:
        raise ValueError(
            "training in several processes takes Lightning Fabric; install it with "
            'pip install "camerapose[scale]"'
        ) from None
    return Fabric(**options)


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def first() -> bool:
    """Whether this is the process that writes and talks."""
    return count() == 1 or dist.get_rank() == 0


def any_of(flag: bool) -> bool:
    """Whether it is so in any process."""
    return any(_gathered(flag)) if count() > 1 else flag


def from_first(act: Callable[[], T]) -> T:
    """What `act` returns in the first process, in all of them. If it fails, all end."""
    if count() == 1:
        return act()
    found: list[Any] = [None, None]
    if first():
        try:
            found[0] = act()
        except (ValueError, OSError) as error:
            found[1] = error
    dist.broadcast_object_list(found, src=0)
    result, error = found
    if error is not None:
        raise error if first() else SystemExit(2)  # one of them tells it
    return result


def wait() -> None:
    """Until every process is here."""
    if count() > 1:
        dist.barrier()


@contextmanager
def one_goes_ahead() -> Iterator[None]:
    """On each machine one process does the block first, so that the others find what it left."""
    if count() == 1:
        yield
        return
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        try:
            yield
        finally:
            wait()
    else:
        wait()
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # it has been said
            yield


def check_same(what: dict[str, Any]) -> None:
    """ValueError if it differs between processes: they could not train together."""
    if count() == 1:
        return
    for rank, theirs in enumerate(_gathered(what)):
        for name in {**what, **theirs}:
            mine, other = what.get(name), theirs.get(name)
            if mine != other:
                raise ValueError(
                    f"process {dist.get_rank()} has {name} = {mine!r}, process {rank} has "
                    f"{other!r}; every machine needs the same command and the same data"
                )


def _gathered(value: T) -> list[T]:
    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value)
    return values


# --- sharing the work


class Rows(NamedTuple):
    """Which of a batch's rows are this process's."""

    start: int
    stop: int
    total: int

    @classmethod
    def of(cls, n: int, rank: int, processes: int) -> "Rows":
        return cls(n * rank // processes, n * (rank + 1) // processes, n)

    @property
    def own(self) -> slice:
        return slice(self.start, self.stop)


#: While a shared network works: the rows that are in it.
_rows: Rows | None = None


def share(network: nn.Module) -> None:
    """Let each process send its own rows of every batch through the network, and return all rows.

    Batch norm sees the statistics of all rows, and dropout draws for all rows, so that the network
    learns as in one process. The first dimension of what goes in and comes out is rows; in the
    network as well, where there is batch norm or dropout. A network that draws random numbers has
    a method `draw(n, generator, device)`, and its `forward` takes what that returns in place of
    a `torch.Generator`. Alone, it does nothing.
    """
    if count() == 1:
        return
    network.forward = partial(_forward, network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.forward = partial(_batch_norm, module)
        elif isinstance(module, nn.Dropout):
            module.forward = partial(_dropout, module)


@contextmanager
def apart(network: nn.Module) -> Iterator[nn.Module]:
    """The network as it is in one process, for what one process does alone."""
    shared = {m: m.__dict__.pop("forward") for m in network.modules() if "forward" in m.__dict__}
    try:
        yield network
    finally:
        for module, forward in shared.items():
            module.forward = forward


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Add up what the rows of all processes say."""
    if count() == 1:
        return
    learning = [p for p in parameters if p.grad is not None]
    together = torch.cat([p.grad.flatten() for p in learning])
    dist.all_reduce(together)
    for p, grad in zip(learning, together.split([p.numel() for p in learning]), strict=True):
        p.grad = grad.view_as(p)


def _forward(network: nn.Module, *inputs: Any) -> Any:
    global _rows
    forward = partial(type(network).forward, network)
    if _rows is not None:  # a part of a network that is shared already
        return forward(*inputs)
    n, device = len(inputs[0]), inputs[0].device
    inputs = tuple(
        network.draw(n, value, device) if isinstance(value, torch.Generator) else value
        for value in inputs
    )
    _rows = Rows.of(n, dist.get_rank(), count())
    try:
        found = forward(*_with(inputs, [_Take.apply(t, _rows) for t in _tensors(inputs)]))
        columns = [t.flatten(1) for t in _tensors(found)]
        gathered = _Gather.apply(torch.cat(columns, dim=1), _rows)
    finally:
        _rows = None
    whole = gathered.split([c.shape[1] for c in columns], dim=1)
    return _with(
        found, [w.unflatten(1, t.shape[1:]) if t.ndim > 1 else w[:, 0] for w, t in
                zip(whole, _tensors(found), strict=True)],
    )  # fmt: skip


def _batch_norm(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Batch norm over the rows of all processes; each tells mean and spread of its own.

    A class derived from torch's with a `forward` of its own has its channels last.
    """
    if _rows is None or not norm.training:
        return type(norm).forward(norm, x)
    dim = 1 if type(norm).forward is nn.BatchNorm1d.forward else -1
    last = x.movedim(dim, -1)
    flat = last.flatten(0, -2)
    places = [Rows.of(_rows.total, rank, count()) for rank in range(count())]
    sizes = torch.tensor([r.stop - r.start for r in places], device=x.device)[:, None]
    sizes = sizes * last.shape[1:-1].numel()
    mine = flat.sum(0) / max(len(flat), 1)
    own = torch.stack([mine, (flat - mine).square().sum(0)])
    mask = torch.arange(count(), device=x.device) == dist.get_rank()
    means, squares = _Sum.apply(mask[:, None, None] * own).unbind(1)
    n = sizes.sum()
    mean = (sizes * means).sum(0) / n
    square = (squares + sizes * (means - mean).square()).sum(0)
    scale = (square / n + norm.eps).rsqrt() * norm.weight
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(square / (n - 1), norm.momentum)
    found = torch.addcmul(norm.bias - mean * scale, flat, scale)
    return found.view_as(last).movedim(-1, dim)


def _dropout(dropout: nn.Dropout, x: Tensor) -> Tensor:
    """Dropout with this process's rows of the mask that one process draws."""
    if _rows is None or not dropout.training:
        return type(dropout).forward(dropout, x)
    mask = type(dropout).forward(dropout, x.new_ones(_rows.total, *x.shape[1:]))
    return x * mask[_rows.own]


class _Sum(torch.autograd.Function):
    """The sum over all processes, as is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x.clone())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _summed(grad.clone())


class _Take(torch.autograd.Function):
    """This process's rows of what every process has; the gradient is of all rows again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return x[rows.own].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _summed(_spread(grad, ctx.rows)), None


class _Gather(torch.autograd.Function):
    """All rows of what every process has its own rows of."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return _summed(_spread(x, rows))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad[ctx.rows.own].clone(), None


def _spread(x: Tensor, rows: Rows) -> Tensor:
    whole = x.new_zeros(rows.total, *x.shape[1:])
    whole[rows.own] = x
    return whole


def _summed(x: Tensor) -> Tensor:
    x = x.contiguous()
    dist.all_reduce(x)
    return x


# --- tensors in what networks take and return: tuples, dataclasses, None


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in _parts(value) for tensor in _tensors(part)]


def _with(value: Any, tensors: Sequence[Tensor]) -> Any:
    """The same with other tensors in their places."""
    return _put(value, iter(tensors))


def _put(value: Any, tensors: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(tensors)
    parts = [_put(part, tensors) for part in _parts(value)]
    if isinstance(value, tuple):
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if is_dataclass(value):
        return replace(value, **dict(zip((f.name for f in fields(value)), parts, strict=True)))
    return value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return list(value)
    return [getattr(value, f.name) for f in fields(value)] if is_dataclass(value) else []
