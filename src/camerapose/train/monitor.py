"""Watching over the adversarial game, so that it is mended and not merely lost."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

#: How much of the past the running means keep at each update.
MEMORY = 0.95
#: A discriminator that tells real from made by this much (of 1) has won: it teaches nothing more.
WON = 0.85
#: It learns again once the difference has fallen below this.
EVEN = 0.6
#: A generator whose poses from a whole batch differ by less than this (metres) has collapsed.
COLLAPSED = 0.002
#: Updates between two looks.
INTERVAL = 50


class Health:
    """Running means of what tells a healthy game from a lost one, and the way back.

    Every `INTERVAL` updates it looks. A discriminator that has won pauses until the generator
    has caught up. When the generator has collapsed, or anything is not finite, generator,
    discriminators and their optimisers return to the last state that was healthy.

    Args:
        networks: generator, d2d and d3d by name.
        optimizers: theirs, by the same names.
    """

    def __init__(self, networks: dict[str, nn.Module], optimizers: dict[str, Any]):
        self.networks, self.optimizers = networks, optimizers
        self.means: dict[str, Tensor] = {}
        self.paused: dict[str, bool] = {"d2d": False, "d3d": False}
        self.updates = 0
        self.healthy: dict[str, Any] | None = self._snapshot()

    def watch(self, **values: Tensor) -> list[str]:
        """Take note of one update; what was found wrong and done, in words.

        Args:
            values: scalar tensors `d2d_real`, `d2d_fake`, `d3d_real`, `d3d_fake` (mean scores)
                and `variety` (metres).
        """
        for name, value in values.items():
            value = value.detach()
            old = self.means.get(name, value)
            self.means[name] = MEMORY * old + (1 - MEMORY) * value
        self.updates += 1
        return self.look() if self.updates % INTERVAL == 0 else []

    def look(self) -> list[str]:
        """Judge the running means, and mend what is wrong."""
        said = []
        means = {name: float(value) for name, value in self.means.items()}
        tensors = [p for net in self.networks.values() for p in net.parameters()]
        finite = all(bool(p.isfinite().all()) for p in tensors)
        if not finite or any(
            value != value or abs(value) == float("inf") for value in means.values()
        ):
            self._restore()
            return [
                "generator or discriminators are no longer finite: back to their last healthy state"
            ]
        for name in ("d2d", "d3d"):
            gap = means[f"{name}_real"] - means[f"{name}_fake"]
            if not self.paused[name] and gap > WON:
                self.paused[name] = True
                said.append(
                    f"{name.upper()} wins (real {means[name + '_real']:.2f}, made "
                    f"{means[name + '_fake']:.2f}): it pauses until the generator has caught up"
                )
            elif self.paused[name] and gap < EVEN:
                self.paused[name] = False
                said.append(f"{name.upper()} learns again")
        if means["variety"] < COLLAPSED:
            self._restore()
            said.append(
                f"the generator has collapsed (its poses differ by {means['variety'] * 1000:.1f} "
                "mm): back to its last healthy state"
            )
        elif not any(self.paused.values()):
            self.healthy = self._snapshot()
        return said

    def _snapshot(self) -> dict[str, Any]:
        return copy.deepcopy(
            {
                "networks": {k: v.state_dict() for k, v in self.networks.items()},
                "optimizers": {k: v.state_dict() for k, v in self.optimizers.items()},
            }
        )

    def _restore(self) -> None:
        healthy = copy.deepcopy(self.healthy)
        for name, state in healthy["networks"].items():
            self.networks[name].load_state_dict(state)
        for name, state in healthy["optimizers"].items():
            self.optimizers[name].load_state_dict(state)
        self.means, self.paused = {}, dict.fromkeys(self.paused, False)

    def state_dict(self) -> dict[str, Any]:
        names = ("means", "paused", "updates", "healthy")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def variety(poses3d: Tensor) -> Tensor:
    """How much poses differ from each other: spread of joints about the mean pose, metres."""
    relative = poses3d - poses3d.mean(1, keepdim=True)
    return torch.linalg.vector_norm(relative - relative.mean(0), dim=-1).mean()
