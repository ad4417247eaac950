"""Run the tasks of a batch: in this process, or in parallel with Ray Data."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from camerapose.infer.batch_task import BatchResult, Task, run_task

#: Memory in bytes that Ray reserves for passing tasks and results.
RAY_MEMORY = 100_000_000


def run_locally(tasks: list[Task], workers: int | None) -> Iterator[BatchResult]:
    """Run tasks one after another in this process."""
    return map(run_task, tasks)


def run_with_ray(tasks: list[Task], workers: int | None) -> Iterator[BatchResult]:
    """Run tasks in Ray workers, in any order. The task of a lost worker is repeated by another.

    Args:
        workers: number of tasks in parallel; None: number of cores.
    """
    ray = import_ray()
    started = not ray.is_initialized()
    if started:
        start_ray(ray, workers)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_no_progress_timeout_s = -1  # a video may take hours
        threads = tasks[0].options.threads or 1
        # One block per task: each is sent to the next free worker, and reported when finished.
        blocks = ray.data.from_items(
            [_pack(task, threads) for task in tasks], override_num_blocks=len(tasks)
        )
        pool = ray.data.TaskPoolStrategy(size=workers)
        for row in blocks.map(_run_packed, num_cpus=threads, compute=pool).iter_rows():
            yield BatchResult(**row)
    finally:
        if started:
            ray.shutdown()


def import_ray() -> Any:
    """Import Ray without logs.

    Without RAY_ADDRESS in the environment, Ray only opens sockets of the loopback interface.

    Raises:
        ValueError: Ray is not installed.
    """
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    if not os.environ.get("RAY_ADDRESS"):
        # On every system this variable declares a single machine, which restricts Ray to loopback.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ValueError(
            f'--engine ray requires {error.name}: pip install "camerapose[scale]"'
        ) from None
    return ray


def start_ray(ray: Any, workers: int | None) -> None:
    """Join the cluster at RAY_ADDRESS, or start Ray for this machine.

    Raises:
        OSError: it does not start, for example because the computer is too busy.
    """
    settings: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        settings |= {
            "address": "local", "num_cpus": workers or os.cpu_count(), "include_dashboard": False,
            "object_store_memory": RAY_MEMORY, "_node_ip_address": "127.0.0.1",
        }  # fmt: skip
    try:
        with nullcontext() if address else _without_http():
            ray.init(**settings)
    except Exception as error:  # Ray raises plain exceptions, and of other libraries
        place = f"at RAY_ADDRESS {address}" if address else "on this computer"
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise OSError(
            f"Ray does not start {place} ({reason}); try again, or use --engine local"
        ) from error


@contextmanager
def _without_http() -> Iterator[None]:
    """Give processes that are started in the context a proxy that refuses every connection.

    Without usage statistics, too, Ray asks the metadata services of cloud providers where it runs
    (http://169.254.169.254, http://metadata.google.internal). Only the scheme http is affected.
    """
    previous = os.environ.get("http_proxy")
    os.environ["http_proxy"] = "http://127.0.0.1:9"
    try:
        yield
    finally:
        if previous is None:
            del os.environ["http_proxy"]
        else:
            os.environ["http_proxy"] = previous


def _pack(task: Task, threads: int) -> dict[str, bytes]:
    """Return a task as one column of bytes, since Ray makes tables of rows."""
    import pickle

    options = replace(task.options, threads=threads)
    return {"task": pickle.dumps(replace(task, options=options))}


def _run_packed(row: dict[str, bytes]) -> dict[str, Any]:
    import pickle

    return run_task(pickle.loads(row["task"]))._asdict()


#: Each runs tasks with at most a number of workers, and yields results in any order.
Engine = Callable[[list[Task], int | None], Iterator[BatchResult]]
ENGINES: dict[str, Engine] = {"local": run_locally, "ray": run_with_ray}
