"""The lifter `stgcn`: graph convolutions from joints to parts to the whole body and back.

Source: "Exploiting spatial-temporal relationships for 3D pose estimation via graph convolutional
networks" (Cai et al., ICCV 2019), on a single frame and with the sizes of PoseAug.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters._base import LIMBS, Dropout, JointNorm, dense, parts_of_joints

#: Graph of the body parts: left arm, right arm, left leg and right leg, each next to the trunk.
_PART_EDGES = [(limb, len(LIMBS)) for limb in range(len(LIMBS))]
_PART_MIRROR = [1, 0, 3, 2, 4]
_PART_DISTANCES = [1, 1, 1, 1, 0]


def center_distances(skeleton: Skeleton) -> list[int]:
    """Return the number of bones between each joint and the spine, or the root without a spine."""
    center = "spine" if "spine" in skeleton.joints else skeleton.root
    distances = {skeleton.index(center): 0}
    while len(distances) < skeleton.n_joints:
        for a, b in skeleton.bones:
            for near, far in ((a, b), (b, a)):
                if near in distances and far not in distances:
                    distances[far] = distances[near] + 1
    return [distances[joint] for joint in range(skeleton.n_joints)]


def grouped_adjacency(
    edges: list[tuple[int, int]], mirror: list[int], distances: list[int]
) -> Float[Tensor, "4 nodes nodes"]:
    """Return adjacency matrices (target, source) of four groups with separate weights.

    The groups are the node itself, neighbours away from the centre, neighbours towards the centre,
    and the left-right counterpart. The entries of each source node sum to one.

    Args:
        edges: pairs of connected nodes.
        mirror: left-right counterpart of each node.
        distances: number of edges between each node and the centre.
    """
    n = len(mirror)
    groups = torch.zeros(4, n, n)
    groups[0] = torch.eye(n)
    for a, b in [pair for edge in edges for pair in (edge, edge[::-1])]:
        groups[1 if distances[b] > distances[a] else 2, a, b] = 1.0
    for node, other in enumerate(mirror):
        groups[3, node, other] = float(node != other)
    return groups / groups.sum(dim=(0, 2), keepdim=True)


class GraphBlock(nn.Module):
    """Graph convolution over the four groups and a linear layer on each node, with a shortcut."""

    def __init__(
        self,
        adjacency: Tensor,
        inputs: int,
        outputs: int,
        dropout: float,
        shortcut: bool = True,
    ):
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.gather = nn.Linear(inputs, len(adjacency) * outputs)
        self.layers = nn.Sequential(
            JointNorm(outputs),
            nn.ReLU(inplace=True),
            Dropout(dropout),
            nn.Linear(outputs, outputs),
            JointNorm(outputs),
            Dropout(dropout),
        )
        self.shortcut: nn.Module | None = None
        if shortcut and inputs == outputs:
            self.shortcut = nn.Identity()
        elif shortcut:
            self.shortcut = nn.Sequential(nn.Linear(inputs, outputs), JointNorm(outputs))

    def forward(self, x: Float[Tensor, "n nodes inputs"]) -> Float[Tensor, "n nodes outputs"]:
        messages = self.gather(x).unflatten(-1, (len(self.adjacency), -1))
        y = self.layers(torch.einsum("kab,nbkc->nac", self.adjacency, messages))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class NonLocal(nn.Module):
    """Attention between all joints (embedded Gaussian; Wang et al., CVPR 2018).

    Initialised as the identity. Keys need no bias: it would shift all logits of a query alike.
    """

    def __init__(self, width: int):
        super().__init__()
        inner = width // 2
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner)
        self.out = nn.Sequential(nn.Linear(inner, width), JointNorm(width))
        nn.init.zeros_(self.out[1].weight)

    def forward(self, x: Float[Tensor, "n j width"]) -> Float[Tensor, "n j width"]:
        attention = (self.query(x) @ self.key(x).mT).softmax(dim=-1)
        return x + self.out(attention @ self.value(x))


class Lifter(nn.Module):
    """Lift a 2D pose to a root-relative 3D pose in metres.

    The graph is that of the skeleton, so no joint has to be interpolated. The root is subtracted
    from the output, so the last layer needs no bias.

    Args:
        width: channels of each joint; parts have twice, the first two layers half as many.
        dropout: probability after each layer.
    """

    def __init__(self, skeleton: Skeleton, width: int = 256, dropout: float = 0.1):
        super().__init__()
        self.skeleton = skeleton
        joints = grouped_adjacency(
            list(skeleton.bones), list(skeleton.mirror), center_distances(skeleton)
        )
        parts = grouped_adjacency(_PART_EDGES, _PART_MIRROR, _PART_DISTANCES)
        part_of = torch.tensor(parts_of_joints(skeleton))
        self.part_sizes = part_of.bincount(minlength=len(_PART_MIRROR)).tolist()
        assert min(self.part_sizes) > 0, f"{skeleton.name} lacks a limb or the trunk"
        self.register_buffer("part_of", part_of, persistent=False)
        self.register_buffer("by_part", part_of.argsort(stable=True), persistent=False)

        self.input_norm = nn.BatchNorm1d(2 * skeleton.n_joints)
        self.joints = nn.Sequential(
            GraphBlock(joints, 2, width // 2, dropout, shortcut=False),
            GraphBlock(joints, width // 2, width // 2, dropout),
            GraphBlock(joints, width // 2, width, dropout),
        )
        self.parts = nn.Sequential(
            GraphBlock(parts, width, 2 * width, dropout),
            GraphBlock(parts, 2 * width, 2 * width, dropout),
        )
        self.body = dense(2 * width, 2 * width, dropout, norm=JointNorm)
        self.coarse = dense(4 * width, width, dropout, norm=JointNorm)
        self.non_local = NonLocal(2 * width)
        self.last = nn.Sequential(Dropout(dropout), nn.Linear(2 * width, 3, bias=False))

    def forward(self, pose2d: Float[Tensor, "n j 2"]) -> Float[Tensor, "n j 3"]:
        x = self.input_norm(pose2d.flatten(1)).view_as(pose2d)
        x = self.joints(x)
        limbs = x.index_select(1, self.by_part).split(self.part_sizes, dim=1)
        parts = self.parts(torch.stack([limb.amax(dim=1) for limb in limbs], dim=1))
        body = self.body(parts.amax(dim=1, keepdim=True)).expand_as(parts)
        coarse = self.coarse(torch.cat([body, parts], dim=-1)).index_select(1, self.part_of)
        x = self.non_local(torch.cat([x, coarse], dim=-1))
        return root_relative(self.last(x), self.skeleton)
