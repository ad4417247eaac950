"""Iterate over the batches of a stage: learning rate, log, checkpoints and validation."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from camerapose.train import distributed
from camerapose.train.average import WeightAverage
from camerapose.train.checkpoint import Checkpoint
from camerapose.train.config import Config, Schedule
from camerapose.train.logging import TrainingLog
from camerapose.train.progress import Progress
from camerapose.train.schedule import learning_rate
from camerapose.train.summary import IterationTimer, duration_text

#: Stages of a run in their order; the data order depends on the index.
STAGES = ("refine", "warmup", "joint")
#: Iterations whose mean losses are written as one line of metrics.jsonl.
LOG_INTERVAL = 50
#: With several processes: iterations between two checks whether any of them was interrupted.
STOP_INTERVAL = 10


class Batch(NamedTuple):
    """One iteration."""

    rows: Tensor
    """Rows of the pairs."""
    iteration: int
    """Finished iterations of the run."""
    progress: float
    """Finished share of the stage, 0 to 1."""


class TrainingLoop:
    """Run the iterations of each stage, from where a resumed run stopped.

    Args:
        config: settings of the run.
        n_pairs: number of 2D-3D pairs.
        device: device of the row indices.
        progress: position in the run, updated here.
        log: log of the run.
        checkpoint: saves the run.
        validate: computes the metrics after an epoch.
    """

    def __init__(
        self,
        config: Config,
        n_pairs: int,
        device: torch.device,
        progress: Progress,
        log: TrainingLog,
        checkpoint: Checkpoint,
        validate: Callable[[], dict[str, float]],
    ):
        self.config, self.n_pairs, self.device = config, n_pairs, device
        self.progress, self.log, self.checkpoint = progress, log, checkpoint
        self.validate = validate
        self.average: WeightAverage | None = None
        """Average of the weights, updated after each iteration."""
        self._configured, self._timer = 0, IterationTimer()
        self.followers: list[torch.optim.Optimizer] = []
        """Optimizers that follow the learning rate of each stage."""
        self.stopping = False
        """Set to save and stop after the current iteration."""
        self._saved_at = time.monotonic()

    def optimizer(
        self, stage: str, schedule: Schedule, parameters: Iterable[Any]
    ) -> torch.optim.Optimizer:
        """Begin or resume a stage; return its optimizer.

        Args:
            parameters: parameters to train, or groups of them, each with its `lr_scale`.
        """
        optimizer = torch.optim.AdamW(
            parameters, lr=schedule.lr, weight_decay=self.config.weight_decay, fused=True
        )
        self.checkpoint.optimizers["model"] = optimizer
        if self.progress.stage == stage:
            optimizer.load_state_dict(self.checkpoint.model_optimizer)
        else:
            self.progress.begin(stage)
        self.checkpoint.model_optimizer = None
        return optimizer

    def batches(self, schedule: Schedule, optimizer: torch.optim.Optimizer) -> Iterator[Batch]:
        """Yield the remaining batches of the current stage.

        Between batches it sets the learning rate, writes the log and saves checkpoints; after each
        epoch it validates.

        Raises:
            ValueError: fewer than two pairs per epoch.
            KeyboardInterrupt: `stopping` was set; the run has been saved.
        """
        progress, size, steps = self.progress, *self._epoch_size(schedule)
        self._configured, self._timer = schedule.epochs, IterationTimer()
        while progress.epoch < schedule.epochs and not self._is_stale():
            order = self.order(progress.stage, progress.epoch)
            title = f"{progress.stage} {progress.epoch + 1}/{schedule.epochs}"
            with tqdm(
                total=steps, initial=progress.step, desc=title, unit="it", dynamic_ncols=True,
                mininterval=1.0, disable=not distributed.is_main(),
            ) as bar:  # fmt: skip
                while progress.step < steps:
                    share = (progress.epoch + progress.step / steps) / max(schedule.epochs, 1)
                    for each in (optimizer, *self.followers):
                        _set_learning_rate(each, learning_rate(schedule, share))
                    rows = order[progress.step * size : (progress.step + 1) * size]
                    yield Batch(rows, progress.iteration, share)
                    self._estimate(schedule, steps)
                    progress.step += 1
                    progress.iteration += 1
                    self._end_iteration(bar)
            progress.epoch, progress.step = progress.epoch + 1, 0
            self._end_epoch()

    def end_stage(self, name: str) -> None:
        """Mark a stage as finished and save."""
        self.progress.done.append(name)
        if self.progress.stage == name:
            self.progress.ended[name] = [self.progress.epoch, self._configured]
        self.progress.begin("")
        self._save()

    def order(self, stage: str, epoch: int) -> Tensor:
        """Return the pairs of an epoch in random order, given by seed, stage and epoch alone."""
        parts = self.config.data.epoch_parts
        passes, part = divmod(epoch, parts)
        seed = (self.config.seed * 1000 + STAGES.index(stage)) * 100_000 + passes
        order = torch.randperm(self.n_pairs, generator=torch.Generator().manual_seed(seed))
        return order[part::parts].to(self.device)

    def _epoch_size(self, schedule: Schedule) -> tuple[int, int]:
        """Return the size of the batches and their number per epoch."""
        parts = self.config.data.epoch_parts
        rows = self.n_pairs // parts
        if rows < 2:
            raise ValueError(
                f"data.epoch_parts = {parts} leaves fewer than two of {self.n_pairs} pairs per "
                f"epoch; accepted: 1 to {self.n_pairs // 2}"
            )
        size = min(schedule.batch, rows)
        return size, rows // size

    def _is_stale(self) -> bool:
        """Return whether the joint stage ends early; all processes decide alike."""
        progress, patience = self.progress, self.config.patience
        if not patience or progress.stage != "joint" or progress.step:
            return False
        waited = progress.epoch - progress.best_epoch
        stale = distributed.any_process(progress.best is not None and waited >= patience)
        if stale:
            self.log.message(f"early stop: no better validation for {patience} epochs")
        return stale

    def _estimate(self, schedule: Schedule, steps: int) -> None:
        """Log the expected duration of the stage once it can be estimated."""
        seconds = self._timer.seconds()
        if seconds is not None:
            self.log.note(duration_text(self.progress.stage, seconds, steps, schedule.epochs))

    def _end_iteration(self, bar: tqdm) -> None:
        bar.update()
        if self.average is not None:
            self.average.update()
        if self.progress.iteration % LOG_INTERVAL == 0:
            means = self.log.flush()
            bar.set_postfix({k: f"{v:.4f}" for k, v in means.items()}, refresh=False)
        if self._interrupted():
            self._save()
            distributed.barrier()
            raise KeyboardInterrupt
        if time.monotonic() - self._saved_at > self.config.checkpoint_minutes * 60:
            self._save()

    def _interrupted(self) -> bool:
        """Return whether to stop; all processes decide alike, after the same iteration."""
        if distributed.process_count() == 1:
            return self.stopping
        due = self.progress.iteration % STOP_INTERVAL == 0
        return due and distributed.any_process(self.stopping)

    def _end_epoch(self) -> None:
        self.log.flush()
        if distributed.is_main():
            self.log.validation(self.validate())
        self._save()

    def _save(self) -> None:
        self.log.flush()
        self.checkpoint.save()
        self._saved_at = time.monotonic()


def _set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
