"""The temporal model `dilated`: an adaptive filter, with weights from convolutions over 27 frames.

The convolutions over 3, 9 and 27 frames are those of VideoPose3D (Pavllo et al., CVPR 2019), with
layer norm.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.temporal import LENGTH, LOOKAHEAD

#: Initial distance in frames at which the weight of the filter falls to 1/e.
INITIAL_REACH = 2.0
#: Columns after the 6 values per joint: presence, and share of the window after the frame.
_PRESENT, _AFTER = 6, 7


class Temporal(nn.Module):
    """Estimate changes of lifted poses from windows of 27 frames.

    The estimate is a weighted mean of the lifted positions in the window, with weights for each
    joint and frame, plus a correction.

    Args:
        features: number of features per frame (`core.temporal.inputs`).
        outputs: number of values per frame: 3 per joint.
        width: width of the hidden layers.
        dropout: dropout probability.
    """

    def __init__(self, features: int, outputs: int, width: int = 96, dropout: float = 0.2):
        super().__init__()
        self.joints = outputs // 3
        self.first = nn.Linear(features, width)
        self.blocks = nn.ModuleList(_Block(width, distance, dropout) for distance in (1, 3, 9))
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width + features, width)
        self.last = nn.Linear(width, outputs)
        self.weights = nn.Linear(width, LENGTH * self.joints)
        self.log_reach = nn.Parameter(torch.tensor(INITIAL_REACH).log())
        for layer in (self.last, self.weights):
            nn.init.normal_(layer.weight, std=1e-3)
            nn.init.zeros_(layer.bias)
        self.register_buffer("position", torch.arange(LENGTH).float(), persistent=False)

    def forward(
        self,
        window: Float[Tensor, "n padded features"],
        estimated: Float[Tensor, "n t features"],
    ) -> Float[Tensor, "n t outputs"]:
        hidden = self.first(window)
        for block in self.blocks:
            hidden = block(hidden)
        joined = torch.cat([self.norm(hidden), estimated], dim=-1)
        hidden = nn.functional.gelu(self.hidden(joined))
        output, adjusted = self.last(hidden), self.weights(hidden)
        filtered = self._filtered(window, estimated, adjusted)
        return output + filtered - estimated[..., : 3 * self.joints]

    def _filtered(self, window: Tensor, estimated: Tensor, adjusted: Tensor) -> Tensor:
        """Return the weighted mean positions; absent frames have almost no weight."""
        joints, t = self.joints, estimated.shape[1]
        taps = torch.stack([window[:, k : k + t] for k in range(LENGTH)], dim=2)
        after = LOOKAHEAD["centred"] * estimated[..., 6 * joints + _AFTER, None]
        distance = (self.position - (LENGTH - 1 - after)).abs()
        prior = -distance / self.log_reach.exp() - 20 * (1 - taps[..., 6 * joints + _PRESENT])
        logits = adjusted.unflatten(-1, (LENGTH, joints)) + prior[..., None]
        weight = logits.float().softmax(dim=2)
        points = taps[..., : 3 * joints].unflatten(-1, (joints, 3))
        return (weight[..., None] * points).sum(dim=2).flatten(-2)


class _Block(nn.Module):
    """A residual convolution over three frames with a distance between them."""

    def __init__(self, width: int, distance: int, dropout: float):
        super().__init__()
        self.distance = distance
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(3 * width, width)  # faster than Conv1d on processors
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        d = self.distance
        x = self.norm(hidden)
        taps = torch.cat([x[:, : -2 * d], x[:, d:-d], x[:, 2 * d :]], dim=-1)
        change = self.out(nn.functional.gelu(self.mix(taps)))
        return hidden[:, d:-d] + self.dropout(change)
