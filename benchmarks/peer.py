"""A typical implementation of the method for comparison of speed; not part of the package.

It follows the descriptions of the released code of PoseAug and VideoPose3D: convolutions one frame
wide, a `DataLoader` that collates samples, an optimizer that is not fused, five separate
discriminators, a pool of old fakes in Python, losses read with `.item()` in every iteration, and
metrics in numpy. The method is PoseAug's (Gong et al., CVPR 2021).
"""

import random
from collections.abc import Iterator

import numpy as np
import roma
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from camerapose.core.joint_formats import H36M_16

BONES = H36M_16.bones
PARTS = [list(bones) for bones in H36M_16.parts.values()]
STIFF = [H36M_16.bone_names.index(name) for name in ("spine", "thorax")]


class Samples(Dataset):
    """Samples from numpy arrays."""

    def __init__(self, *columns: np.ndarray):
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(column[index]).float() for column in self.columns)


def batches(*columns: np.ndarray, batch: int) -> Iterator[list[Tensor]]:
    while True:
        yield from DataLoader(Samples(*columns), batch_size=batch, shuffle=True, drop_last=True)


class ConvLifter(nn.Module):
    """VideoPose3D on one frame: every layer a convolution of width one."""

    def __init__(self, width: int = 1024, blocks: int = 4):
        super().__init__()
        self.expand = nn.Conv1d(32, width, 1, bias=False)
        self.expand_norm = nn.BatchNorm1d(width)
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, 1, bias=False) for _ in range(2 * blocks)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2 * blocks))
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.25)
        self.shrink = nn.Conv1d(width, 45, 1)

    def forward(self, pose2d: Tensor) -> Tensor:
        x = pose2d.reshape(len(pose2d), 1, 32).permute(0, 2, 1)
        x = self.drop(self.relu(self.expand_norm(self.expand(x))))
        for i in range(0, len(self.convs), 2):
            y = self.drop(self.relu(self.norms[i](self.convs[i](x))))
            x = x + self.drop(self.relu(self.norms[i + 1](self.convs[i + 1](y))))
        x = self.shrink(x).permute(0, 2, 1).contiguous().view(len(pose2d), 15, 3)
        return torch.cat([torch.zeros(len(x), 1, 3), x], dim=1)


class LinearLifter(nn.Module):
    """Martinez et al.: two residual blocks of linear layers."""

    def __init__(self, width: int = 1024, blocks: int = 2):
        super().__init__()
        sizes = [32] + [width] * (2 * blocks + 1)
        pairs = zip(sizes, sizes[1:], strict=False)
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in self.linears)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.25)
        self.last = nn.Linear(width, 45)

    def layer(self, i: int, x: Tensor) -> Tensor:
        return self.drop(self.relu(self.norms[i](self.linears[i](x))))

    def forward(self, pose2d: Tensor) -> Tensor:
        x = self.layer(0, pose2d.reshape(len(pose2d), -1))
        for i in range(1, len(self.linears), 2):
            x = x + self.layer(i + 1, self.layer(i, x))
        x = self.last(x).view(len(pose2d), 15, 3)
        return torch.cat([torch.zeros(len(x), 1, 3), x], dim=1)


LIFTERS = {"videopose": ConvLifter, "mlp": LinearLifter}


class PoseNet(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        sizes = [inputs + 48, 256, 256, 256, 256]
        layers = [
            m
            for a, b in zip(sizes, sizes[1:], strict=False)
            for m in (nn.Linear(a, b), nn.BatchNorm1d(b), nn.LeakyReLU())
        ]
        self.layers = nn.Sequential(*layers, nn.Linear(256, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(torch.cat([x, torch.randn(len(x), 48)], dim=1))


def bones_of(pose: Tensor) -> Tensor:
    return torch.stack([pose[:, child] - pose[:, parent] for child, parent in BONES], dim=1)


def pose_of(bones: Tensor, root: Tensor) -> Tensor:
    joints: dict[int, Tensor] = {H36M_16.root_index: root}
    while len(joints) < 16:
        for bone, (child, parent) in enumerate(BONES):
            if parent in joints and child not in joints:
                joints[child] = joints[parent] + bones[:, bone]
    return torch.stack([joints[i] for i in range(16)], dim=1)


def project(pose: Tensor, camera: Tensor) -> Tensor:
    """Project with distortion; camera: focal (2), centre (2), k1 k2 k3, p1 p2."""
    f, c, k, p = camera[:, None].split([2, 2, 3, 2], dim=-1)
    xy = torch.clamp(pose[..., :2] / pose[..., 2:], min=-1, max=1)
    r2 = (xy**2).sum(-1, keepdim=True)
    radial = 1 + (k * torch.cat([r2, r2**2, r2**3], dim=-1)).sum(-1, keepdim=True)
    tangential = (p * xy).sum(-1, keepdim=True)
    return f * (xy * (radial + tangential) + p * r2) + c


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.angle, self.length = PoseNet(48, 45), PoseNet(48 + 15, 9)
        self.turn, self.move = PoseNet(48, 3), PoseNet(48, 3)

    def forward(self, pose: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        root = pose[:, 0]
        flat = (pose - root[:, None]).reshape(len(pose), 48)
        bones = bones_of(pose)
        length = torch.norm(bones, dim=-1, keepdim=True)
        before = bones / length
        change = self.angle(flat).view(-1, 15, 3)
        change[:, STIFF] = 0
        after = before + change
        after = after / torch.norm(after, dim=-1, keepdim=True)
        bent = after * length
        ratio = 0.2 * torch.tanh(self.length(torch.cat([flat, length[..., 0]], dim=1)))
        ratio = torch.cat([ratio, ratio[:, :6]], dim=1)
        body = pose_of(bent * (1 + ratio[..., None]), torch.zeros_like(root))
        rotation = roma.rotvec_to_rotmat(3.1415 * torch.tanh(self.turn(flat)))
        moved = self.move(flat)
        place = torch.cat([moved[:, :2], moved[:, 2:] ** 2 + 2], dim=1)
        seen = (rotation @ body.permute(0, 2, 1)).permute(0, 2, 1) + place[:, None]
        return pose_of(bent, root), seen, 1 - (before * after).sum(-1), ratio


class PartNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(225, 256), nn.Linear(256, 256), nn.Linear(256, 256)
        self.d, self.e, self.relu = nn.Linear(256, 100), nn.Linear(100, 1), nn.LeakyReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.a(x))
        x = self.relu(x + self.c(self.relu(self.b(x))))
        return self.e(self.relu(self.d(x)))


class Critic3D(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(PartNet() for _ in PARTS)

    def forward(self, pose: Tensor) -> Tensor:
        bones = bones_of(pose)
        bones = bones / torch.norm(bones, dim=-1, keepdim=True)
        scores = []
        for net, part in zip(self.parts, PARTS, strict=True):
            mask = torch.zeros(15, 1)
            mask[part] = 1
            own = bones * mask
            scores.append(net(torch.matmul(own, own.permute(0, 2, 1)).reshape(len(pose), -1)))
        return torch.cat(scores, dim=1)


class Critic2D(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(32, 100), nn.Linear(100, 100), nn.Linear(100, 100)
        self.d, self.e, self.relu = nn.Linear(100, 100), nn.Linear(100, 1), nn.LeakyReLU()

    def forward(self, pose: Tensor) -> Tensor:
        x = self.relu(self.a(pose.reshape(len(pose), -1)))
        x = self.relu(x + self.c(self.relu(self.b(x))))
        return self.e(self.relu(self.d(x)))


class Pool:
    """Replace half of the fakes by stored ones (Shrivastava et al., 2017)."""

    def __init__(self, size: int = 4096):
        self.size, self.kept = size, []

    def __call__(self, fakes: Tensor) -> Tensor:
        chosen = []
        for fake in fakes.detach():
            fake = fake[None]
            if len(self.kept) < self.size:
                self.kept.append(fake)
            elif random.random() > 0.5:
                place = random.randrange(self.size)
                fake, self.kept[place] = self.kept[place], fake
            chosen.append(fake)
        return torch.cat(chosen)


class Peer:
    """Training steps. Shapes: `pose3d` (n, 16, 3), `pose2d` (n, 16, 2), cameras (n, 9)."""

    def __init__(self, lifter: str, pose3d: np.ndarray, pose2d: np.ndarray, camera: np.ndarray,
                 batch: int):  # fmt: skip
        self.lifter, self.generator = LIFTERS[lifter](), Generator()
        self.critic3d, self.critic2d = Critic3D(), Critic2D()
        self.pools = Pool(), Pool()
        networks = (self.lifter, self.generator, self.critic3d, self.critic2d)
        self.optimizers = [
            torch.optim.Adam(n.parameters(), lr=1e-4, foreach=False) for n in networks
        ]
        self.real = batches(pose3d, pose2d, batch=batch)
        self.gan = batches(pose3d, pose2d, camera, batch=batch)
        self.fake = batches(pose3d.copy(), pose2d.copy(), batch=batch)
        self.written: list[float] = []
        self.steps = 0

    def supervised(self, source: Iterator | None = None) -> None:
        """Take one step of the lifter on a batch of the loader."""
        pose3d, pose2d = next(source or self.real)
        target = pose3d - pose3d[:, :1]
        optimizer = self.optimizers[0]
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.lifter(pose2d), target)
        loss.backward()
        nn.utils.clip_grad_norm_(self.lifter.parameters(), 1, foreach=False)
        optimizer.step()
        self.written.append(loss.item())

    def adversarial(self) -> None:
        """Update generator, critics (in every other call) and lifter (on fakes and pairs)."""
        pose3d, pose2d, camera = next(self.gan)
        bent, seen, cosine, ratio = self.generator(pose3d)
        seen2d = project(seen, camera)
        one = nn.functional.mse_loss
        losses = {}
        for name, critic, fake, weight in (
            ("3d", self.critic3d, bent, 6.0), ("2d", self.critic2d, seen2d, 1.0),
        ):  # fmt: skip
            score = critic(fake)
            losses[name] = weight * one(score, torch.ones_like(score))
        angle = cosine.mean(1) - 0.205
        losses["angle"] = 3 * torch.where(angle.abs() > 0.165, angle**2, 0 * angle).mean()
        losses["length"] = 3 * torch.where(ratio.abs() > 0.1, ratio**2, 0 * ratio).mean()
        easy = self.errors(pose2d, pose3d).detach()
        for name, hard, target, width, weight in (
            ("feedback_angle", self.errors(project(bent, camera), bent), 4.0, 2.0, 0.1),
            ("feedback_view", self.errors(seen2d, seen), 17.0, 15.0, 0.01),
        ):
            off = hard / easy.clamp(min=1e-3) - target
            losses[name] = weight * torch.where(off.abs() > width, off**2, 0 * off).mean()
        self.step(1, self.generator, sum(losses.values()))
        self.written += [loss.item() for loss in losses.values()]
        self.steps += 1
        if self.steps % 2 == 0:
            real, fake = (pose3d, pose2d), (bent, seen2d)
            for i, critic in enumerate((self.critic3d, self.critic2d)):
                pooled = self.pools[i](fake[i])
                good, bad = critic(real[i]), critic(pooled)
                loss = one(good, torch.ones_like(good)) + one(bad, torch.zeros_like(bad))
                self.step(2 + i, critic, 0.5 * loss)
                self.written += [loss.item(), good.mean().item(), bad.mean().item()]
        kept = seen.detach().cpu().numpy(), seen2d.detach().cpu().numpy()  # for the next epoch
        self.written += [float(k.max()) for k in kept]
        self.supervised(self.fake)
        self.supervised(self.real)

    def errors(self, pose2d: Tensor, pose3d: Tensor) -> Tensor:
        found = self.lifter(pose2d) - (pose3d - pose3d[:, :1])
        distance = torch.norm(found, dim=-1)
        weights = torch.tensor([1.0, 5, 2, 1, 5, 2, 1, 1, 1, 1, 5, 2, 1, 5, 2, 1])
        distance = distance * weights
        groups = [[1, 4, 10, 13], [2, 5, 9, 11, 14], [3, 6, 12, 15]]
        return torch.stack([distance[:, group].mean(1) for group in groups], dim=1)

    def step(self, which: int, network: nn.Module, loss: Tensor) -> None:
        self.optimizers[which].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1, foreach=False)
        self.optimizers[which].step()


def mpjpe(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.linalg.norm(predicted - target, axis=-1).mean(1)


def pa_mpjpe(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return PA-MPJPE by batched singular value decomposition in numpy."""
    x, y = (p - p.mean(1, keepdims=True) for p in (predicted, target))
    x_size, y_size = (np.sqrt((p**2).sum((1, 2), keepdims=True)) for p in (x, y))
    u, s, vt = np.linalg.svd(np.matmul((y / y_size).transpose(0, 2, 1), x / x_size))
    sign = np.sign(np.linalg.det(np.matmul(u, vt)))
    u[:, :, -1] *= sign[:, None]
    s[:, -1] *= sign
    aligned = np.matmul(x, np.matmul(u, vt).transpose(0, 2, 1))
    scale = (s.sum(1) * y_size[:, 0, 0] / x_size[:, 0, 0])[:, None, None]
    return np.linalg.norm(scale * aligned - y, axis=-1).mean(1)


def auc(predicted: np.ndarray, target: np.ndarray) -> float:
    """Return the AUC with loops over thresholds and joints."""
    found = []
    for threshold in np.linspace(0, 0.150, 31):
        below = np.zeros((len(predicted), 16))
        for joint in range(16):
            distance = np.sqrt(((predicted[:, joint] - target[:, joint]) ** 2).sum(-1))
            below[:, joint] = distance < threshold
        found.append(below.mean())
    return float(np.mean(found))
