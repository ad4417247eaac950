"""The lifter `stgcn`: graph convolutions from joints to parts to the whole body and back.

Source: "Exploiting spatial-temporal relationships for 3D pose estimation via graph convolutional
networks" (Cai et al., ICCV 2019), on one frame and in the sizes that PoseAug trains.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.geometry import root_relative
from camerapose.core.skeleton import Skeleton
from camerapose.models.lifters.mlp import Dropout
from camerapose.models.lifters.semgcn import JointNorm

_ARM = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
_LEG = ("hip", "knee", "ankle", "heel", "foot_index")
_LIMBS = [[f"{side}_{j}" for j in limb] for limb in (_ARM, _LEG) for side in ("left", "right")]
#: The graph of the parts: left arm, right arm, left leg, right leg, and the trunk between them.
_PART_EDGES = [(limb, len(_LIMBS)) for limb in range(len(_LIMBS))]
_PART_MIRROR = [1, 0, 3, 2, 4]
_PART_DISTANCES = [1, 1, 1, 1, 0]


def parts_of_joints(skeleton: Skeleton) -> list[int]:
    """For each joint the part it belongs to; what is on no limb is on the trunk."""
    limbs = {joint: part for part, limb in enumerate(_LIMBS) for joint in limb}
    return [limbs.get(joint, len(_LIMBS)) for joint in skeleton.joints]


def center_distances(skeleton: Skeleton) -> list[int]:
    """Bones between each joint and the body's middle: the spine, or the root if there is none."""
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
    """Who gathers (row) from whom (column), in four groups that have weights of their own.

    The node itself, neighbours further out, neighbours further in, and its left-right
    counterpart. Every node's entries sum to one over the groups.
    """
    n = len(mirror)
    groups = torch.zeros(4, n, n)
    groups[0] = torch.eye(n)
    for a, b in [pair for edge in edges for pair in (edge, edge[::-1])]:
        groups[1 if distances[b] > distances[a] else 2, a, b] = 1.0
    for node, other in enumerate(mirror):
        groups[3, node, other] = float(node != other)
    return groups / groups.sum(dim=(0, 2), keepdim=True)


def dense(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Linear, batch norm, ReLU, dropout, on each node by itself."""
    return nn.Sequential(
        nn.Linear(inputs, outputs), JointNorm(outputs), nn.ReLU(inplace=True), Dropout(dropout)
    )


class GraphBlock(nn.Module):
    """Graph convolution over the four groups, then a layer on each node, with a shortcut."""

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
        offered = self.gather(x).unflatten(-1, (len(self.adjacency), -1))
        y = self.layers(torch.einsum("kab,nbkc->nac", self.adjacency, offered))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class NonLocal(nn.Module):
    """Every joint attends to every joint (embedded Gaussian; Wang et al., CVPR 2018).

    Starts as the identity. Keys need no bias: it would add the same to all that are compared.
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
    """2D pose to root-relative 3D pose in metres.

    The graph is the skeleton's own, so no joint has to be made up for it. The network places all
    joints and its root is then subtracted, so its last layer needs no bias.

    Args:
        width: channels of a joint; a part has twice, the first two layers half as many.
        dropout: of every layer.
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
        self.body = dense(2 * width, 2 * width, dropout)
        self.coarse = dense(4 * width, width, dropout)
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
