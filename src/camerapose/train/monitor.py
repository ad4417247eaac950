"""Monitor the adversarial training and repair it when it fails."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

#: Decay of the running means per update.
DECAY = 0.95
#: Difference of the mean scores of real and generated poses above which a discriminator is paused:
#: its gradient no longer helps the generator.
PAUSE_ABOVE = 0.85
#: Difference below which a paused discriminator continues.
CONTINUE_BELOW = 0.6
#: Diversity of a batch of generated poses (metres) below which the generator has collapsed.
MIN_DIVERSITY = 0.002
#: Updates between two checks.
INTERVAL = 50


class AdversarialMonitor:
    """Pause dominant discriminators and restore networks after a collapse.

    Every `INTERVAL` updates the running means are checked. A discriminator that separates real and
    generated poses too well is paused until the generator has improved. When the generator has
    collapsed, or any value is not finite, generator, discriminators and their optimizers return to
    the last state that passed the check.

    Args:
        networks: generator, d2d and d3d.
        optimizers: their optimizers, by the same names.
    """

    def __init__(self, networks: dict[str, nn.Module], optimizers: dict[str, Any]):
        self.networks, self.optimizers = networks, optimizers
        self.means: dict[str, Tensor] = {}
        self.paused: dict[str, bool] = {"d2d": False, "d3d": False}
        self.updates = 0
        self.good: dict[str, Any] = self._snapshot()

    def record(self, **values: Tensor) -> list[str]:
        """Record one update; return messages about problems and what was done about them.

        Args:
            values: scalar tensors `d2d_real`, `d2d_fake`, `d3d_real`, `d3d_fake` (mean scores)
                and `diversity` (metres).
        """
        for name, value in values.items():
            value = value.detach()
            old = self.means.get(name, value)
            self.means[name] = DECAY * old + (1 - DECAY) * value
        self.updates += 1
        return self.check() if self.updates % INTERVAL == 0 else []

    def check(self) -> list[str]:
        """Check the running means and the weights; return messages."""
        means = {name: float(value) for name, value in self.means.items()}
        weights = [p for network in self.networks.values() for p in network.parameters()]
        finite = all(bool(p.isfinite().all()) for p in weights)
        if not finite or not all(map(math.isfinite, means.values())):
            self._restore()
            return ["generator or discriminators not finite: restored their last good state"]
        messages = [message for name in self.paused for message in self._check_balance(name, means)]
        if means["diversity"] < MIN_DIVERSITY:
            self._restore()
            messages.append(
                f"generator collapsed (diversity {means['diversity'] * 1000:.1f} mm): restored the "
                "last good state"
            )
        elif not any(self.paused.values()):
            self.good = self._snapshot()
        return messages

    def _check_balance(self, name: str, means: dict[str, float]) -> list[str]:
        """Pause or continue a discriminator."""
        real, fake = means[f"{name}_real"], means[f"{name}_fake"]
        if not self.paused[name] and real - fake > PAUSE_ABOVE:
            self.paused[name] = True
            return [
                f"{name.upper()} dominates (mean score {real:.2f} real, {fake:.2f} generated): "
                "paused"
            ]
        if self.paused[name] and real - fake < CONTINUE_BELOW:
            self.paused[name] = False
            return [f"{name.upper()} continues"]
        return []

    def _snapshot(self) -> dict[str, Any]:
        return copy.deepcopy(
            {
                "networks": {k: v.state_dict() for k, v in self.networks.items()},
                "optimizers": {k: v.state_dict() for k, v in self.optimizers.items()},
            }
        )

    def _restore(self) -> None:
        good = copy.deepcopy(self.good)
        for name, state in good["networks"].items():
            self.networks[name].load_state_dict(state)
        for name, state in good["optimizers"].items():
            self.optimizers[name].load_state_dict(state)
        self.means, self.paused = {}, dict.fromkeys(self.paused, False)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that is needed to resume."""
        return {name: getattr(self, name) for name in ("means", "paused", "updates", "good")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, value in state.items():
            setattr(self, name, value)


def diversity(poses3d: Tensor) -> Tensor:
    """Return the mean distance of the joints from the mean pose of a batch, in metres.

    Args:
        poses3d: (n, joints, 3); the position of the bodies has no influence.
    """
    relative = poses3d - poses3d.mean(1, keepdim=True)
    return torch.linalg.vector_norm(relative - relative.mean(0), dim=-1).mean()
