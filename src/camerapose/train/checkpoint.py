"""Save a run so that it resumes bit-identically, and prepare its folder."""

import dataclasses
import io
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from camerapose.io.files import AtomicFile, make_folder, write_text
from camerapose.train import config_io, distributed
from camerapose.train.average import WeightAverage
from camerapose.train.config import Config
from camerapose.train.logging import APPENDED
from camerapose.train.monitor import AdversarialMonitor
from camerapose.train.progress import Progress
from camerapose.train.resume import check_settings

FILE = config_io.STATE


class Checkpoint:
    """State of a run in the file `training.pt`, replaced atomically.

    It contains weights, optimizers, random states, position, monitor and the lengths of the log
    files. `model_optimizer` is the state of the current stage's optimizer after `load`, else None.

    Args:
        out: run folder.
        progress: position in the run, saved and restored like the following.
        networks: all networks by name.
        optimizers: all optimizers by name; the stages add `model`.
        monitor: monitor of the adversarial training.
        rng: random generator.
    """

    def __init__(
        self,
        out: Path,
        progress: Progress,
        networks: dict[str, nn.Module],
        optimizers: dict[str, torch.optim.Optimizer],
        monitor: AdversarialMonitor,
        rng: torch.Generator,
    ):
        self.out, self.progress, self.networks = out, progress, networks
        self.optimizers, self.monitor, self.rng = optimizers, monitor, rng
        self.average: WeightAverage | None = None
        """Average of the weights, saved and restored if there is one."""
        self.model_optimizer: dict[str, Any] | None = None

    def save(self) -> None:
        """Write the state; only the main process does."""
        if not distributed.is_main():
            return
        on_gpu = self.rng.device.type == "cuda"
        state = {
            "progress": dataclasses.asdict(self.progress),
            "networks": {k: v.state_dict() for k, v in self.networks.items()},
            "optimizers": {k: v.state_dict() for k, v in self.optimizers.items()},
            "monitor": self.monitor.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "log_sizes": {name: _size(self.out / name) for name in APPENDED},
            "random": {
                "rng": self.rng.get_state(),
                "torch": torch.get_rng_state(),
                "cuda": [torch.cuda.get_rng_state()] if on_gpu else [],
            },
        }
        write_state(state, self.out / FILE)

    def load(self) -> bool:
        """Restore the state, if there is any; return whether there was.

        Log entries that were written after the state was saved are removed, because these
        iterations will be repeated.

        Raises:
            ValueError: the file is damaged.
        """
        saved = distributed.from_main(self._open)
        if saved is None:
            return False
        try:
            state = torch.load(saved, map_location=self.rng.device, weights_only=True)
            self._restore(state)
            sizes = {str(name): int(size) for name, size in state["log_sizes"].items()}
        except PermissionError:
            raise
        except Exception as error:  # pickle, zipfile and torch raise many, OSError too
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ValueError(
                f"{self.out / FILE} is damaged or of another version ({reason}); delete it to "
                "start the run again, or restore it from a copy"
            ) from error
        if distributed.is_main():
            for name in APPENDED:
                _truncate(self.out / name, sizes.get(name, 0))
        return True

    def _restore(self, state: dict[str, Any]) -> None:
        """Put a saved state into all objects."""
        for name, value in state["progress"].items():
            setattr(self.progress, name, value)
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.model_optimizer = state["optimizers"].get("model")
        self.monitor.load_state_dict(state["monitor"])
        if self.average is not None and state.get("average") is not None:
            self.average.load_state_dict(state["average"])
        self.rng.set_state(state["random"]["rng"].cpu())
        torch.set_rng_state(state["random"]["torch"].cpu())
        for cuda in state["random"]["cuda"][:1]:
            torch.cuda.set_rng_state(cuda.cpu())

    def _open(self) -> Path | io.BytesIO | None:
        """Return the file, for several processes its content; None for a new run."""
        path = self.out / FILE
        if not path.exists():
            for name in APPENDED:
                (self.out / name).unlink(missing_ok=True)
            return None
        return path if distributed.process_count() == 1 else io.BytesIO(path.read_bytes())


def write_state(state: dict[str, Any], path: Path) -> None:
    """Write a state atomically; torch itself reports a full disk as a RuntimeError."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with AtomicFile(path, min_size=buffer.tell()) as temporary, open(temporary, "wb") as file:
        file.write(buffer.getbuffer())


def prepare_folder(config: Config, out: Path) -> None:
    """Create the run folder and write its configuration.

    Raises:
        ValueError: the folder contains a run with other settings.
    """
    make_folder(out / "figures")
    path = out / "config.toml"
    if path.exists() and (out / FILE).exists():
        old, new = config_io.as_dict(config_io.read(path)), config_io.as_dict(config)
        check_settings(old, new, out, growing=["joint.epochs"], is_folder=_is_folder)
    write_text(path, config_io.to_toml(config))


def _is_folder(key: str) -> bool:
    """Return whether a setting is the folder of a data set: NAME = "FOLDER", or its `root`."""
    *tables, last = key.split(".")
    if tables == ["data"]:
        return last in ("human36m", "mpii")
    further = tables[:2] in (["data", "pairs"], ["data", "unlabelled"])
    return further and (len(tables) == 2 or last == "root")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _truncate(path: Path, size: int) -> None:
    if _size(path) > size:
        os.truncate(path, size)
