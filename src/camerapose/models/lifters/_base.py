"""Layers that several lifters share."""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.skeleton import Skeleton
from camerapose.models._layers import Residual

#: Initial standard deviation of the last layer's weights: the first predictions are small poses
#: instead of limbs of several metres, which saves hundreds of iterations.
SMALL_STD = 1e-3
_ARM = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
_LEG = ("hip", "knee", "ankle", "heel", "foot_index")
#: Joints of left arm, right arm, left leg and right leg; all others belong to the trunk.
LIMBS = [[f"{side}_{j}" for j in limb] for limb in (_ARM, _LEG) for side in ("left", "right")]


class Dropout(nn.Dropout):
    """Dropout that uses one random byte per value on the CPU, where drawing floats is slow.

    The probability is rounded to a multiple of 1/256; values are scaled accordingly.
    """

    def forward(self, x: Tensor) -> Tensor:
        dropped = round(256 * self.p)
        default = x.device.type != "cpu" or torch.compiler.is_compiling()
        if not self.training or dropped in (0, 256) or default:
            return super().forward(x)
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.uint8)[: x.numel()].view(x.shape) >= dropped
        return x * (keep.to(x.dtype) * (256 / (256 - dropped)))


class JointNorm(nn.BatchNorm1d):
    """Batch norm of each channel over poses and joints."""

    def forward(self, x: Float[Tensor, "n j channels"]) -> Float[Tensor, "n j channels"]:
        return super().forward(x.flatten(0, 1)).view_as(x)


def dense(
    inputs: int,
    outputs: int,
    dropout: float,
    bias: bool = True,
    norm: type[nn.BatchNorm1d] = nn.BatchNorm1d,
) -> nn.Sequential:
    """Return linear layer, batch norm, ReLU and dropout; on each joint for `norm=JointNorm`."""
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=bias),
        norm(outputs),
        nn.ReLU(inplace=True),
        Dropout(dropout),
    )


def residual(*layers: nn.Module) -> Residual:
    """Return a residual block; stored weights name its layers `layers.0`, `layers.1`, ..."""
    return Residual(OrderedDict(layers=nn.Sequential(*layers)))


def parts_of_joints(skeleton: Skeleton) -> list[int]:
    """Return the body part of each joint: its index in `LIMBS`, or `len(LIMBS)` for the trunk."""
    limbs = {joint: part for part, limb in enumerate(LIMBS) for joint in limb}
    return [limbs.get(joint, len(LIMBS)) for joint in skeleton.joints]
