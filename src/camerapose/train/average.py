"""Exponential moving average of the weights of a network."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average the weights of a network over the iterations (EMA).

    The decay begins at 0.1 and approaches `decay`, so that the initial weights are soon forgotten.
    Running statistics of batch norm are averaged as well.

    Args:
        network: the network that is trained.
        decay: share of the average that each update keeps, such as 0.999.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self._current: dict[str, Tensor] = {
            name: value.detach()
            for name, value in network.state_dict(keep_vars=True).items()
            if value.is_floating_point()
        }
        self._average = {name: value.clone() for name, value in self._current.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Add the current weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(
            list(self._average.values()), list(self._current.values()), weight=1 - decay
        )

    @torch.no_grad()
    def restart(self) -> None:
        """Begin with the current weights, such as after an initialisation."""
        self.updates = 0
        for name, value in self._current.items():
            self._average[name].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the averaged weights temporarily."""
        trained = {name: value.clone() for name, value in self._current.items()}
        self._write(self._average)
        try:
            yield
        finally:
            self._write(trained)

    @torch.no_grad()
    def _write(self, values: dict[str, Tensor]) -> None:
        for name, value in self._current.items():
            value.copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that is needed to resume."""
        return {"updates": self.updates, "average": self._average}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.updates = state["updates"]
        for name, value in self._average.items():
            value.copy_(state["average"][name])


def averaged(average: WeightAverage | None) -> AbstractContextManager[None]:
    """Return the context in which a network has its averaged weights, if there is an average."""
    return nullcontext() if average is None else average.applied()
