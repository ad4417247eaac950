"""The lifter `parts`: each limb and the trunk has a network of its own, and they talk a little.

A network that sees all joints at once learns which poses of arms and legs go together in its
training set, and fails on others. Here arms, legs and trunk are lifted by five networks from
their own joints; what they know of the rest of the body passes through few numbers. The idea is
that of "SRNet: improving generalization in 3D human pose estimation with a split-and-recombine
approach" (Zeng et al., ECCV 2020); layers and sizes are ours.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters.mlp import SMALL, Dropout
from camerapose.models.lifters.stgcn import parts_of_joints

#: How loud the other joints are beside a part's own at the entrance.
ELSEWHERE = 0.3


class PartLinear(nn.Module):
    """One linear layer for each part. All parts stand side by side in one row a pose."""

    def __init__(self, parts: int, inputs: int, outputs: int, std: float | None = None):
        super().__init__()
        std = math.sqrt(2 / inputs) if std is None else std
        self.weight = nn.Parameter(torch.randn(parts, inputs, outputs) * std)

    def forward(self, x: Float[Tensor, "n parts_inputs"]) -> Float[Tensor, "n parts_outputs"]:
        if self.training and x.device.type == "cpu" and not torch.compiler.is_compiling():
            return _InPlace.apply(x, self.weight)
        by_part = x.unflatten(1, (len(self.weight), -1)).transpose(0, 1)
        return torch.bmm(by_part, self.weight).transpose(0, 1).flatten(1)


class _InPlace(torch.autograd.Function):
    """The products of `PartLinear` on slices of the rows, read and written where they stand.

    One batched product would want the parts one after another in memory: on the CPU the copies to
    and fro take as long as a third of the products.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        y = x.new_empty(len(x), len(weight) * weight.shape[2])
        for at, w, to in zip(_columns(x, weight), weight, _columns(y, weight), strict=True):
            torch.mm(at, w, out=to)
        return y

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous()
        grads = _columns(grad, weight)
        to_x = to_weight = None
        if ctx.needs_input_grad[0]:
            to_x = torch.empty_like(x)
            for g, w, to in zip(grads, weight, _columns(to_x, weight), strict=True):
                torch.mm(g, w.t(), out=to)
        if ctx.needs_input_grad[1]:
            to_weight = torch.empty_like(weight)
            for g, at, to in zip(grads, _columns(x, weight), to_weight, strict=True):
                torch.mm(at.t(), g, out=to)
        return to_x, to_weight


def _columns(x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Each part's columns of the rows."""
    return x.chunk(len(weight), dim=1)


class FoldedLinear(nn.Module):
    """`PartLinear` and the batch norm that follows it, for evaluation: a product for each part."""

    def __init__(self, linear: PartLinear, scale: Tensor, shift: Tensor):
        super().__init__()
        parts = len(linear.weight)
        self.weights = nn.ParameterList([*(linear.weight.detach() * scale.view(parts, 1, -1))])
        self.biases = nn.ParameterList([*shift.view(parts, -1)])

    def forward(self, x: Float[Tensor, "n parts_inputs"]) -> Float[Tensor, "n parts_outputs"]:
        columns = x.chunk(len(self.weights), dim=1)
        parts = zip(self.biases, columns, self.weights, strict=True)
        return torch.cat([torch.addmm(bias, at, weight) for bias, at, weight in parts], dim=1)


def _fold(norm: "PartNorm") -> tuple[Tensor, Tensor]:
    """Scale and shift of each channel by a batch norm in evaluation; it then does nothing."""
    of = norm.norm
    scale = of.weight.detach() / (of.running_var + of.eps).sqrt()
    norm.norm = nn.Identity()
    return scale, of.bias.detach() - scale * of.running_mean


class PartNorm(nn.Module):
    """Batch norm of every part's channels, ReLU, dropout."""

    def __init__(self, parts: int, width: int, dropout: float):
        super().__init__()
        self.norm = nn.BatchNorm1d(parts * width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "n channels"]) -> Float[Tensor, "n channels"]:
        return self.dropout(torch.relu_(self.norm(x)))


class Block(nn.Module):
    """Two layers of every part, added to what came in; between them the parts exchange `context`
    numbers."""

    def __init__(self, parts: int, width: int, context: int, dropout: float):
        super().__init__()
        self.first = PartLinear(parts, width, width)
        self.second = PartLinear(parts, width, width)
        self.first_norm = PartNorm(parts, width, dropout)
        self.second_norm = PartNorm(parts, width, dropout)
        self.tell = nn.Linear(parts * width, context)
        self.hear = nn.Linear(context, parts * width)

    def forward(self, x: Float[Tensor, "n channels"]) -> Float[Tensor, "n channels"]:
        y = self.second(self.first_norm(self.first(x)))
        return x + self.second_norm(y + self.hear(self.tell(x)))


class Lifter(nn.Module):
    """2D pose to root-relative 3D pose in metres.

    It also reads how large the person is in the image (`sized`): with the place this tells much
    about the camera, and so how a body that looks like this is turned.

    Args:
        width: of each of the five networks.
        blocks: residual blocks.
        context: numbers that the parts exchange in a block.
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
        # small parts repeat their last joint, so that all have one size
        own = torch.tensor([m + m[-1:] * (largest - len(m)) for m in members])
        slot = [p * largest + members[p].index(j) for j, p in enumerate(part_of)]
        self.register_buffer("own", own, persistent=False)
        self.register_buffer("slot", torch.tensor(slot), persistent=False)
        inputs = 2 * largest + 2 * skeleton.n_joints + 3
        self.first = PartLinear(parts, inputs, width)
        self.first_norm = PartNorm(parts, width, dropout)
        self.blocks = nn.ModuleList(Block(parts, width, context, dropout) for _ in range(blocks))
        self.last = PartLinear(parts, width, 3 * largest, std=SMALL)
        self.bias = nn.Parameter(torch.zeros(skeleton.n_joints, 3))

    def fold(self) -> None:
        """Take the batch norms into the products before them, for evaluation from now on."""
        self.first = FoldedLinear(self.first, *_fold(self.first_norm))
        for block in self.blocks:
            block.first = FoldedLinear(block.first, *_fold(block.first_norm))
            scale, shift = _fold(block.second_norm)
            block.second = FoldedLinear(block.second, scale, shift)
            block.hear.weight.data *= scale[:, None]
            block.hear.bias.data *= scale
        last = self.last.weight
        none = last.new_zeros(len(last), last.shape[2])
        self.last = FoldedLinear(self.last, torch.ones_like(none), none)

    def forward(
        self, pose2d: Float[Tensor, "n j 2"], size: Float[Tensor, "n 1 1"] | None = None
    ) -> Float[Tensor, "n j 3"]:
        """Lift; `size` is the person's in the image (`VirtualCamera`), one where not given."""
        size = torch.ones_like(pose2d[:, :1, :1]) if size is None else size
        place = pose2d.mean(dim=1, keepdim=True)
        person = pose2d - place
        parts, largest = self.own.shape
        own = person.index_select(1, self.own.flatten()).view(-1, parts, 2 * largest)
        around = [ELSEWHERE * person.flatten(1), place.flatten(1), size.log().flatten(1) + 1]
        around = torch.cat(around, dim=1)
        around = around[:, None].expand(-1, parts, -1)
        x = self.first_norm(self.first(torch.cat([own, around], dim=2).flatten(1)))
        for block in self.blocks:
            x = block(x)
        found = self.last(x).unflatten(1, (-1, 3))
        return root_relative(found.index_select(1, self.slot) + self.bias, self.skeleton)
