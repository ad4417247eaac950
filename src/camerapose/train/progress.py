"""Position of a run within its schedule."""

from dataclasses import dataclass, field


@dataclass
class Progress:
    """Position within a run; stored in its checkpoints."""

    done: list[str] = field(default_factory=list)
    """Names of the finished stages."""
    stage: str = ""
    """Name of the current stage; empty between stages."""
    epoch: int = 0
    """Finished epochs of the stage."""
    step: int = 0
    """Finished iterations of the epoch."""
    iteration: int = 0
    """Finished iterations of the run."""
    pairs: int = 0
    """Number of pairs, which determines the order of the data."""
    ended: dict[str, list[int]] = field(default_factory=dict)
    """Finished and configured epochs of the finished stages."""
    best: float | None = None
    """Smallest validation error of the current stage."""
    best_epoch: int = 0
    """Epoch of the current stage with the smallest validation error."""

    def begin(self, stage: str, epoch: int = 0) -> None:
        """Begin a stage; an empty name is the time between stages."""
        self.stage, self.epoch, self.step = stage, epoch, 0
        self.best, self.best_epoch = None, epoch

    def reopen(self, stage: str, epochs: int) -> bool:
        """Continue a finished stage if it has more epochs now; return whether it does."""
        reached, configured = self.ended.get(stage, [epochs, epochs])
        if stage not in self.done or epochs <= configured:
            return False
        self.done.remove(stage)
        self.begin(stage, reached)
        return True

    def is_best(self, error: float) -> bool:
        """Record the validation error of an epoch; return whether it is the smallest so far."""
        if self.best is not None and error >= self.best:
            return False
        self.best, self.best_epoch = error, self.epoch
        return True
