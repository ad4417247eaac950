"""Learning rate as a function of training progress."""

import math

from camerapose.train.config import Schedule

#: Share of a one_cycle schedule in which the learning rate increases.
RISE = 0.1
#: Learning rate at start and end of one_cycle, relative to the maximum.
START, END = 0.04, 0.0005


def learning_rate(schedule: Schedule, progress: float) -> float:
    """Return the learning rate at a share of the stage.

    Args:
        progress: 0 (start of the stage) to 1 (end).
    """
    if schedule.decay == "linear":
        return schedule.lr * (1 - progress)
    if schedule.decay == "one_cycle":
        if progress < RISE:
            return schedule.lr * (START + (1 - START) * progress / RISE)
        cosine = math.cos(math.pi * (progress - RISE) / (1 - RISE))
        return schedule.lr * (END + (1 - END) * (1 + cosine) / 2)
    passed = sum(progress * schedule.epochs >= m for m in schedule.milestones)
    return schedule.lr * 0.1**passed
