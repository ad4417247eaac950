"""The lifter `parts`: a separate network for each limb and the trunk, with limited exchange.

A network that sees all joints at once overfits to the combinations of arm and leg poses in its
training set. Here five networks lift arms, legs and trunk from their own joints, and information
about the rest of the body passes through a few values. The idea is that of "SRNet: improving
generalization in 3D human pose estimation with a split-and-recombine approach" (Zeng et al., ECCV
2020); layers and sizes differ.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models._layers import PartLinear
from camerapose.models.lifters._base import SMALL_STD, Dropout, parts_of_joints

#: Scale of the joints of the whole body relative to those of the own part, at the input.
CONTEXT_SCALE = 0.3


class RowPartLinear(PartLinear):
    """`PartLinear` without bias on rows in which the features of all parts are concatenated.

    Args:
        std: initial standard deviation of the weights; None: Kaiming.
    """

    def __init__(self, parts: int, inputs: int, outputs: int, std: float | None = None):
        super().__init__(parts, inputs, outputs, bias=False)
        std = math.sqrt(2 / inputs) if std is None else std
        self.weight.data = torch.randn(parts, inputs, outputs) * std

    def forward(self, x: Float[Tensor, "n parts_inputs"]) -> Float[Tensor, "n parts_outputs"]:
        if self.training and x.device.type == "cpu" and not torch.compiler.is_compiling():
            return _InPlace.apply(x, self.weight)
        by_part = x.unflatten(1, (len(self.weight), -1)).transpose(0, 1)
        return super().forward(by_part).transpose(0, 1).flatten(1)


class _InPlace(torch.autograd.Function):
    """Matrix products of the parts on column slices, without copies.

    A batched product requires the parts to be contiguous in memory; on the CPU these copies take a
    third of the time of the products.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        y = x.new_empty(len(x), len(weight) * weight.shape[2])
        for part, w, out in zip(_columns(x, weight), weight, _columns(y, weight), strict=True):
            torch.mm(part, w, out=out)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grads = _columns(grad.contiguous(), weight)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.empty_like(x)
            for g, w, out in zip(grads, weight, _columns(grad_x, weight), strict=True):
                torch.mm(g, w.t(), out=out)
        if ctx.needs_input_grad[1]:
            grad_weight = torch.empty_like(weight)
            for g, part, out in zip(grads, _columns(x, weight), grad_weight, strict=True):
                torch.mm(part.t(), g, out=out)
        return grad_x, grad_weight


def _columns(x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Return the columns of each part."""
    return x.chunk(len(weight), dim=1)


class FoldedLinear(nn.Module):
    """`RowPartLinear` with the batch norm that follows it folded in, for evaluation."""

    def __init__(self, linear: RowPartLinear, scale: Tensor, shift: Tensor):
        super().__init__()
        parts = len(linear.weight)
        self.weights = nn.ParameterList([*(linear.weight.detach() * scale.view(parts, 1, -1))])
        self.biases = nn.ParameterList([*shift.view(parts, -1)])

    def forward(self, x: Float[Tensor, "n parts_inputs"]) -> Float[Tensor, "n parts_outputs"]:
        columns = x.chunk(len(self.weights), dim=1)
        parts = zip(self.biases, columns, self.weights, strict=True)
        return torch.cat([torch.addmm(bias, part, w) for bias, part, w in parts], dim=1)


def _fold(norm: "PartNorm") -> tuple[Tensor, Tensor]:
    """Return scale and shift of a batch norm in evaluation mode, and replace it by the identity."""
    batch_norm = norm.norm
    scale = batch_norm.weight.detach() / (batch_norm.running_var + batch_norm.eps).sqrt()
    norm.norm = nn.Identity()
    return scale, batch_norm.bias.detach() - scale * batch_norm.running_mean


class PartNorm(nn.Module):
    """Batch norm of the channels of all parts, ReLU and dropout."""

    def __init__(self, parts: int, width: int, dropout: float):
        super().__init__()
        self.norm = nn.BatchNorm1d(parts * width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "n channels"]) -> Float[Tensor, "n channels"]:
        return self.dropout(torch.relu_(self.norm(x)))


class ExchangeBlock(nn.Module):
    """Residual block of two layers per part, between which the parts exchange `context` values."""

    def __init__(self, parts: int, width: int, context: int, dropout: float):
        super().__init__()
        self.first = RowPartLinear(parts, width, width)
        self.second = RowPartLinear(parts, width, width)
        self.first_norm = PartNorm(parts, width, dropout)
        self.second_norm = PartNorm(parts, width, dropout)
        # Encoder and decoder of the exchanged values; stored weights use these names.
        self.tell = nn.Linear(parts * width, context)
        self.hear = nn.Linear(context, parts * width)

    def forward(self, x: Float[Tensor, "n channels"]) -> Float[Tensor, "n channels"]:
        y = self.second(self.first_norm(self.first(x)))
        return x + self.second_norm(y + self.hear(self.tell(x)))


class Lifter(nn.Module):
    """Lift a 2D pose to a root-relative 3D pose in metres.

    It also reads the scale of the person in the image (`sized`): with the position it provides
    information about the camera, and thereby about the orientation of the body.

    Args:
        width: width of each of the five networks.
        blocks: number of residual blocks.
        context: number of values that the parts exchange in a block.
        dropout: probability after each layer.
    """

    sized = True

    def __init__(
        self,
        skeleton: Skeleton,
        width: int = 256,
        blocks: int = 4,
        context: int = 64,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.skeleton = skeleton
        part_of = parts_of_joints(skeleton)
        parts = max(part_of) + 1
        members = [[j for j, p in enumerate(part_of) if p == part] for part in range(parts)]
        assert all(members), f"{skeleton.name} lacks a limb or the trunk"
        largest = max(map(len, members))
        # Smaller parts repeat their last joint, so that all parts have the same size.
        own = torch.tensor([m + m[-1:] * (largest - len(m)) for m in members])
        slot = [p * largest + members[p].index(j) for j, p in enumerate(part_of)]
        self.register_buffer("own", own, persistent=False)
        self.register_buffer("slot", torch.tensor(slot), persistent=False)
        inputs = 2 * largest + 2 * skeleton.n_joints + 3
        self.first = RowPartLinear(parts, inputs, width)
        self.first_norm = PartNorm(parts, width, dropout)
        self.blocks = nn.ModuleList(
            ExchangeBlock(parts, width, context, dropout) for _ in range(blocks)
        )
        self.last = RowPartLinear(parts, width, 3 * largest, std=SMALL_STD)
        self.bias = nn.Parameter(torch.zeros(skeleton.n_joints, 3))

    def fold(self) -> None:
        """Fold batch norm into the preceding products; afterwards only for evaluation."""
        self.first = FoldedLinear(self.first, *_fold(self.first_norm))
        for block in self.blocks:
            block.first = FoldedLinear(block.first, *_fold(block.first_norm))
            scale, shift = _fold(block.second_norm)
            block.second = FoldedLinear(block.second, scale, shift)
            block.hear.weight.data *= scale[:, None]
            block.hear.bias.data *= scale
        last = self.last.weight
        zeros = last.new_zeros(len(last), last.shape[2])
        self.last = FoldedLinear(self.last, torch.ones_like(zeros), zeros)

    def forward(
        self, pose2d: Float[Tensor, "n j 2"], scale: Float[Tensor, "n 1 1"] | None = None
    ) -> Float[Tensor, "n j 3"]:
        """Lift 2D poses.

        Args:
            scale: scale of the person in the image (`VirtualCamera.scale`); default 1.
        """
        scale = torch.ones_like(pose2d[:, :1, :1]) if scale is None else scale
        center = pose2d.mean(dim=1, keepdim=True)
        person = pose2d - center
        parts, largest = self.own.shape
        own = person.index_select(1, self.own.flatten()).view(-1, parts, 2 * largest)
        context = torch.cat(
            [CONTEXT_SCALE * person.flatten(1), center.flatten(1), scale.log().flatten(1) + 1],
            dim=1,
        )
        context = context[:, None].expand(-1, parts, -1)
        x = self.first_norm(self.first(torch.cat([own, context], dim=2).flatten(1)))
        for block in self.blocks:
            x = block(x)
        joints = self.last(x).unflatten(1, (-1, 3)).index_select(1, self.slot)
        return root_relative(joints + self.bias, self.skeleton)
