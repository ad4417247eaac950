"""Start the processes that train together, and exchange small values between them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TypeVar

import torch
from torch import distributed as dist

T = TypeVar("T")


@contextmanager
def process_group(devices: int | None, nodes: int, kind: str) -> Iterator[None]:
    """Make this process one of `devices` times `nodes`; a single process is left unchanged.

    Started by `torchrun`, it joins the other processes. Otherwise Lightning Fabric starts the other
    processes of this machine with the same command line. With several machines, run the same
    command on each with NODE_RANK, MASTER_ADDR and MASTER_PORT set.

    Args:
        devices: processes on this machine. None: as many as `torchrun` started, otherwise one.
        nodes: number of machines.
        kind: kind of device, "cuda" or "cpu".

    Raises:
        ValueError: too few devices, Lightning Fabric is not installed, or an error in another
            process.
    """
    total = int(os.environ.get("WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if devices is None and total > 1:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = total // devices
    devices = 1 if devices is None else devices
    _check(devices, nodes, kind)
    if devices * nodes == 1 or process_count() > 1:
        yield
        return
    fabric = _fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    started = getattr(fabric.strategy.launcher, "procs", [])
    try:
        if is_main():
            yield
        else:
            with open(os.devnull, "w") as null, redirect_stdout(null):
                yield
        for process in started:
            process.wait()
    except BaseException as error:
        for process in started:  # they would wait for this process for ever
            process.kill()
        if is_main() or not isinstance(error, ValueError | OSError):
            raise
        place = f"process {dist.get_rank()} of {process_count()}"
        raise ValueError(f"{place}: {error}") from error
    finally:
        dist.destroy_process_group()


def _check(devices: int, nodes: int, kind: str) -> None:
    if devices < 1 or nodes < 1:
        raise ValueError(
            f"got {devices} devices and {nodes} nodes; accepted: 1 or more of each, for example "
            "--devices 4"
        )
    if kind == "cuda" and devices > torch.cuda.device_count():
        raise ValueError(
            f"got {devices} devices, but PyTorch found {torch.cuda.device_count()} GPUs; pass a "
            "smaller --devices or use --set device=cpu"
        )


def _fabric(**options: Any) -> Any:
    try:
        from lightning_fabric import Fabric
    except ModuleNotFoundError:
        raise ValueError(
            "training with several processes requires Lightning Fabric; install it with "
            'pip install "camerapose[scale]"'
        ) from None
    return Fabric(**options)


def process_count() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_main() -> bool:
    """Return whether this is the process that writes files and messages."""
    return process_count() == 1 or dist.get_rank() == 0


def any_process(flag: bool) -> bool:
    """Return whether the flag is set in any process."""
    return any(_gathered(flag)) if process_count() > 1 else flag


def from_main(function: Callable[[], T]) -> T:
    """Call a function in the main process and return its result in all.

    If it raises a ValueError or OSError, the main process raises it and the others exit.
    """
    if process_count() == 1:
        return function()
    outcome: list[Any] = [None, None]
    if is_main():
        try:
            outcome[0] = function()
        except (ValueError, OSError) as error:
            outcome[1] = error
    dist.broadcast_object_list(outcome, src=0)
    result, error = outcome
    if error is not None:
        raise error if is_main() else SystemExit(2)
    return result


def barrier() -> None:
    """Wait until all processes have arrived."""
    if process_count() > 1:
        dist.barrier()


@contextmanager
def local_main_first() -> Iterator[None]:
    """Run the block in one process of each machine first, so that the others find its cache."""
    if process_count() == 1:
        yield
        return
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        try:
            yield
        finally:
            barrier()
    else:
        barrier()
        with open(os.devnull, "w") as null, redirect_stderr(null):  # messages are printed already
            yield


def check_identical(values: dict[str, Any]) -> None:
    """Raise a ValueError if values differ between processes."""
    if process_count() == 1:
        return
    for rank, others in enumerate(_gathered(values)):
        for name in {**values, **others}:
            mine, other = values.get(name), others.get(name)
            if mine != other:
                raise ValueError(
                    f"process {dist.get_rank()} has {name} = {mine!r}, process {rank} has "
                    f"{other!r}; every machine needs the same command and the same data"
                )


def _gathered(value: T) -> list[T]:
    values: list[Any] = [None] * process_count()
    dist.all_gather_object(values, value)
    return values
