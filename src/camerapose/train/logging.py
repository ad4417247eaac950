"""Log of a run: metrics.jsonl, log.txt, TensorBoard and the terminal."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from camerapose.train import distributed
from camerapose.train.progress import Progress

#: Files of the run folder to which lines are appended.
APPENDED = ("metrics.jsonl", "log.txt")

#: Metrics of a validation: label, unit and factor.
VALIDATION = {
    "mpjpe": ("MPJPE", "mm", 1.0),
    "pa_mpjpe": ("PA-MPJPE", "mm", 1.0),
    "pa_mpjpe_clean": ("PA-MPJPE of clean 2D", "mm", 1.0),
    "pa_mpjpe_noisy": ("PA-MPJPE of noisy 2D", "mm", 1.0),
    "root_error": ("root", "mm", 1.0),
    "focal_error": ("focal length", "%", 100.0),
    "focal": ("focal length", "%", 1.0),
    "within_1": ("within one standard deviation", "%", 1.0),
    "within_2": ("within two", "%", 1.0),
    "unlabelled_reprojection": ("reprojection of 2D-only poses", "% of half the width", 100.0),
    "input_2d": ("2D input", "% of the person's size", 100.0),
    "refined_2d": ("refined 2D", "% of the person's size", 100.0),
}


def validation_text(values: dict[str, float]) -> str:
    """Return metrics of a validation with their units."""
    rows = ((*VALIDATION.get(name, (name, "", 1.0)), value) for name, value in values.items())
    return ", ".join(f"{label} {factor * v:.4g} {unit}".rstrip() for label, unit, factor, v in rows)


class TrainingLog:
    """Collect losses and write their means; only the main process writes.

    Args:
        out: run folder.
        progress: current position, written with each entry.
    """

    def __init__(self, out: Path, progress: Progress):
        self.out, self.progress = out, progress
        self._sums: dict[str, tuple[Tensor | float, int]] = {}
        self._tensorboard: Any = None
        if distributed.is_main():
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(
                out / "tensorboard", purge_step=progress.iteration + 1
            )

    def add(self, values: dict[str, Tensor]) -> None:
        """Add the scalars of one iteration to the means; does not wait for the device."""
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value.detach(), count + 1)

    def add_adversarial(self, values: dict[str, Tensor], messages: list[str]) -> None:
        """Add the result of an adversarial step."""
        self.add(values)
        for message in messages:
            self.message(message)

    def flush(self) -> dict[str, float]:
        """Write and return the means since the last call."""
        means = {name: float(total) / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        if means and distributed.is_main():
            self._write({"loss": means})
            self._plot(self.progress.stage, means)
        return means

    def validation(self, values: dict[str, float]) -> None:
        """Write the metrics of a validation."""
        if not distributed.is_main():
            return
        self._write({"validation": values})
        self._plot("validation", values)
        text = validation_text(values) or "no validation data"
        self.note(f"{self.progress.stage} epoch {self.progress.epoch}: {text}")

    def note(self, text: str) -> None:
        """Write a line to the terminal and log.txt."""
        if distributed.is_main():
            tqdm.write(text)
            with open(self.out / "log.txt", "a", encoding="utf-8") as file:
                file.write(text + "\n")

    def message(self, text: str) -> None:
        """Write a message to the terminal, log.txt and metrics.jsonl."""
        if not distributed.is_main():
            return
        stage, epoch, iteration = (
            self.progress.stage, self.progress.epoch, self.progress.iteration,
        )  # fmt: skip
        tqdm.write(f"{stage}, iteration {iteration}: {text}")
        with open(self.out / "log.txt", "a", encoding="utf-8") as file:
            file.write(f"{stage} {epoch + 1}, iteration {iteration}: {text}\n")
        self._write({"message": text})

    def close(self) -> None:
        if self._tensorboard is not None:
            self._tensorboard.close()

    def _plot(self, group: str, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._tensorboard.add_scalar(f"{group}/{name}", value, self.progress.iteration)

    def _write(self, entry: dict[str, Any]) -> None:
        position = {
            "stage": self.progress.stage,
            "epoch": self.progress.epoch,
            "iteration": self.progress.iteration,
        }
        with open(self.out / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(position | entry) + "\n")
