"""Layers that several networks share."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

#: Normalisation layers by their names in `ModelConfig`.
NORMS: dict[str, type[nn.Module]] = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}


class Residual(nn.Sequential):
    """Layers whose output is added to their input."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class PartLinear(nn.Module):
    """One linear layer for each body part, computed as one batched matrix product.

    Weights are not initialised.

    Args:
        parts: number of body parts.
        inputs, outputs: features of each part.
        bias: add a bias, initially zero.
    """

    def __init__(self, parts: int, inputs: int, outputs: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(parts, 1, outputs)) if bias else None

    def forward(self, x: Float[Tensor, "parts n inputs"]) -> Float[Tensor, "parts n outputs"]:
        if self.bias is None:
            return torch.bmm(x, self.weight)
        return torch.baddbmm(self.bias, x, self.weight)
