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
