"""A lifter from any 2D format to the joints of `body_46`, with standard deviations."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from camerapose.core.camera import MIN_DEPTH
from camerapose.core.geometry import root_relative
from camerapose.core.joint_formats import BODY_46
from camerapose.core.skeleton import Skeleton
from camerapose.core.translation import solve_translation
from camerapose.models.crop import VirtualCamera

#: Geometric mean of the focal lengths that training draws, and the range of the prediction.
PRIOR_FOCAL, MAX_ZOOM = 1.8, 1.2
#: Values of the known quantities: focal length, principal point (2), body height, limb lengths (4);
#: and the values subtracted from their logarithms (of the principal point: from itself).
N_KNOWN = 8
_TYPICAL = (0.6, 0.0, 0.0, 0.53, -0.85, -0.85, -1.2, -1.3)
_IS_LOGARITHMIC = (True, False, False, True, True, True, True, True)
#: Initial standard deviation, metres.
_INITIAL_STD = 0.05


def _slot(joint: str) -> str:
    """Return the anatomical joint of a joint of `BODY_46`."""
    return joint.removesuffix("_h36m").removesuffix("_centre")


#: Anatomical joints; most have several definitions in `BODY_46`.
_SLOTS = tuple(dict.fromkeys(map(_slot, BODY_46.joints)))
#: Limb joints, and the fewest that determine the crop.
_LIMBS, MIN_LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"), 5


class Prediction(NamedTuple):
    """Output of `BodyModel`. 2D in normalised image coordinates, 3D in metres."""

    facing: Float[Tensor, "n joints 3"]  # root-relative, axes of a camera facing the person
    log_std: Float[Tensor, "n joints"]  # logarithm of the standard deviation per coordinate
    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    view: VirtualCamera

    def rows(self, which: slice) -> "Prediction":
        """Return the predictions of some rows."""
        return Prediction(
            self.facing[which], self.log_std[which], self.focal[which], self.center[which],
            VirtualCamera(*(column[which] for column in self.view)),
        )  # fmt: skip


class Absolute(NamedTuple):
    """A prediction in the camera frame."""

    refined2d: Float[Tensor, "n joints 2"]
    pose3d: Float[Tensor, "n joints 3"]  # camera frame, absolute
    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    translation: Float[Tensor, "n 3"]
    pose3d_std: Float[Tensor, "n joints"]


class BodyModel(nn.Module):
    """Residual network from 2D joints of any definition to all joints of `BODY_46`.

    The formats of the input differ in the joints that are given, and in their definitions. All
    definitions of the same anatomical joint (`_SLOTS`) share an input, the mean of those that are
    given, so that what is learnt in one format holds for the others; each definition has further
    inputs for whether it is given and for its distance from the mean. Coordinates are relative to
    the visible joints (`VirtualCamera`), and the pose is predicted in the axes of a camera that
    faces the person. Known quantities are optional inputs.

    Architecture: Martinez et al. (ICCV 2017), with further inputs and outputs.

    Args:
        width: of the hidden layers.
        blocks: residual blocks of two layers.
        dropout: probability.
    """

    skeleton: Skeleton = BODY_46

    def __init__(self, width: int = 512, blocks: int = 3, dropout: float = 0.0):
        super().__init__()
        #: Arguments of the constructor.
        self.settings = {"width": width, "blocks": blocks, "dropout": dropout}
        joints = BODY_46.n_joints
        self.first = _layer(4 * joints + 4 * len(_SLOTS) + 3 + 2 * N_KNOWN, width, dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(_layer(width, width, dropout), _layer(width, width, dropout))
            for _ in range(blocks)
        )
        self.last = nn.Linear(width, 4 * joints + 1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)
        #: Whether training computes the blocks in bfloat16; the sums between them are float32.
        self.uses_bfloat16 = False
        #: Factor of the standard deviations, set by calibration on held-out subjects.
        self.register_buffer("calibration", torch.ones(()))
        self.register_buffer("slots", torch.tensor(_slot_matrix()), persistent=False)
        is_limb = [slot.endswith(_LIMBS) for slot in _SLOTS]
        self.register_buffer("is_limb", torch.tensor(is_limb).float(), persistent=False)
        self.register_buffer("typical", torch.tensor(_TYPICAL), persistent=False)
        self.register_buffer("logarithmic", torch.tensor(_IS_LOGARITHMIC), persistent=False)

    def forward(
        self,
        pose2d: Float[Tensor, "n joints 2"],
        confidence: Float[Tensor, "n joints"],
        known: Float[Tensor, "n 8"] | None = None,
    ) -> Prediction:
        """Predict pose, standard deviations and focal length.

        Args:
            pose2d: normalised image coordinates.
            confidence: 0 (missing: coordinates are ignored) to 1.
            known: known quantities, NaN where unknown; None: nothing is known.
        """
        if known is None:
            known = torch.full_like(pose2d[:, :N_KNOWN, 0], torch.nan)
        visible = (confidence > 0).to(pose2d.dtype)
        mean, score, slot_given = self._slots(pose2d, confidence, visible)
        view = self._view(mean, slot_given)
        from_mean = (pose2d - self.slots.mT @ mean) / view.scale * visible[..., None]
        mean = view.to_crop(mean) * slot_given[..., None]
        values, given = self._known(known)
        features = [mean.flatten(1), score, slot_given, from_mean.flatten(1), confidence, visible,
                    view.center.flatten(1), view.scale.flatten(1).log() + 1, values,
                    given]  # fmt: skip
        hidden = self.first(torch.cat(features, dim=1))
        for block in self.blocks:
            hidden = hidden + self._block(block, hidden)
        output = self.last(hidden)
        joints = BODY_46.n_joints
        facing = root_relative(output[:, : 3 * joints].unflatten(1, (joints, 3)), BODY_46)
        log_std = output[:, 3 * joints : 4 * joints].clamp(-4, 4) + torch.tensor(_INITIAL_STD).log()
        zoom = MAX_ZOOM * torch.tanh(output[:, -1:] / MAX_ZOOM)
        focal = torch.where(given[:, :1] > 0, known[:, :1], PRIOR_FOCAL * zoom.exp())
        center = torch.where(given[:, 1:3] > 0, known[:, 1:3], 0.0)
        return Prediction(facing, log_std, focal.expand(-1, 2), center, view)

    def _block(self, block: nn.Module, hidden: Tensor) -> Tensor:
        if not (self.training and self.uses_bfloat16):
            return block(hidden)
        with torch.autocast(hidden.device.type, torch.bfloat16):
            return block(hidden)

    def _slots(
        self, pose2d: Tensor, confidence: Tensor, visible: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return for each slot mean position, mean confidence and whether a joint is given."""
        number = visible @ self.slots.mT
        share = 1 / number.clamp(min=1)
        mean = self.slots @ (pose2d * visible[..., None]) * share[..., None]
        return mean, confidence @ self.slots.mT * share, number.clamp(max=1)

    def _view(self, mean: Tensor, given: Tensor) -> VirtualCamera:
        """Return the crop around the limb joints, which all formats have; around all if few are."""
        limbs = given * self.is_limb
        enough = limbs.sum(1, keepdim=True) >= MIN_LIMBS
        return VirtualCamera.fit(mean, torch.where(enough, limbs, given))

    def _known(self, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return standardised known quantities, zero where unknown, and whether they are given."""
        given = ~known.isnan()
        filled = torch.where(given, known, 1.0)
        values = torch.where(self.logarithmic, filled.clamp(min=1e-3).log(), filled) - self.typical
        return torch.where(given, 2 * values, 0.0), given.to(known.dtype)


class AbsoluteBodyModel(nn.Module):
    """A `BodyModel` whose poses are in the camera frame."""

    skeleton: Skeleton = BODY_46

    def __init__(self, model: BodyModel):
        super().__init__()
        self.model = model

    def forward(
        self,
        pose2d: Float[Tensor, "n joints 2"],
        confidence: Float[Tensor, "n joints"],
        known: Float[Tensor, "n 8"] | None = None,
    ) -> Absolute:
        """Predict absolute poses; `refined2d` is their projection."""
        predicted = self.model(pose2d, confidence, known)
        relative, translation = place(predicted, pose2d, confidence)
        pose3d = relative + translation[:, None]
        depth = pose3d[..., 2:].clamp(min=MIN_DEPTH)
        projected = pose3d[..., :2] / depth * predicted.focal[:, None] + predicted.center[:, None]
        std = predicted.log_std.exp() * self.model.calibration
        return Absolute(projected, pose3d, predicted.focal, predicted.center, translation, std)


def place(
    predicted: Prediction,
    pose2d: Float[Tensor, "n joints 2"],
    confidence: Float[Tensor, "n joints"],
) -> tuple[Float[Tensor, "n joints 3"], Float[Tensor, "n 3"]]:
    """Return the pose in the axes of the image's camera, and the position of its root."""
    focal, center = predicted.focal, predicted.center
    relative = predicted.facing @ predicted.view.rotation(focal, center).mT
    return relative, solve_translation(relative, pose2d, confidence, focal, center)


def _layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True),
        nn.Dropout(dropout),
    )  # fmt: skip


def _slot_matrix() -> list[list[float]]:
    """Return slots by joints: 1 where the joint belongs to the slot."""
    return [[float(_slot(joint) == slot) for joint in BODY_46.joints] for slot in _SLOTS]
