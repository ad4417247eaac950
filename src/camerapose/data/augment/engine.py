"""The data engine: motion-capture poses to simulated 2D detections with 3D ground truth."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from camerapose.core.anatomy import body_height
from camerapose.core.geometry import rotvec_to_rotmat
from camerapose.core.joint_formats import BODY_46
from camerapose.data.augment import body_shape, cameras, detector_errors, joint_definitions, posture
from camerapose.data.augment.cameras import CameraOptions
from camerapose.data.augment.detector_errors import DetectorOptions

#: Known quantities in order, and their number of values: focal length and principal point in
#: normalised units; body height (`core.anatomy.body_height`) and mean limb lengths in metres.
KNOWN = {"focal": 1, "center": 2, "height": 1, "limbs": 4}
#: Segments of the limb lengths: (outer, inner) joint without side, joint centres.
LIMBS = (
    ("knee_h36m", "hip_centre"), ("ankle_h36m", "knee_h36m"),
    ("elbow_h36m", "shoulder_centre"), ("wrist_h36m", "elbow_h36m"),
)  # fmt: skip
_ROOT, _HEAD = BODY_46.root_index, BODY_46.index("head_h36m")


@dataclass(frozen=True)
class EngineOptions:
    """Settings of the data engine."""

    shortening: tuple[float, float] = (0.92, 1.0)
    """Range of the factor by which the legs of the recorded people are shorter than those of the
    motion (`posture.extend_legs`)."""
    exchange: float = 0.5
    """Probability that a pose has the legs, the arms, or the head of another one."""
    posture: float = 0.08
    """Standard deviation of random rotations of each segment of the body, radians."""
    tumbled: float = 0.03
    """Share of poses in a random orientation: lying, falling, upside down."""
    limb: float = body_shape.LIMB
    """Standard deviation of the logarithm of bone lengths."""
    surface: float = body_shape.SURFACE
    """The same for the distances of surface points from joint centres."""
    stature: float = 0.05
    """The same for the size of the whole body."""
    definitions: float = 1.0
    """Factor of the differences between annotators (`joint_definitions.DISPLACEMENTS`)."""
    known: float = 0.5
    """Share of samples that give known quantities to the network, each with probability 0.5."""
    formats: dict[str, float] = field(default_factory=lambda: dict(joint_definitions.FORMATS))
    """Simulated 2D formats and their probabilities."""
    cameras: CameraOptions = field(default_factory=CameraOptions)
    """Cameras."""
    detector: DetectorOptions = field(default_factory=DetectorOptions)
    """Detector errors."""


class Sample(NamedTuple):
    """Simulated detections and ground truth, in the joints of `BODY_46`."""

    pose2d: Float[Tensor, "n joints 2"]  # normalised image coordinates
    confidence: Float[Tensor, "n joints"]
    pose3d: Float[Tensor, "n joints 3"]  # camera frame, absolute, metres
    focal: Float[Tensor, "n 2"]
    center: Float[Tensor, "n 2"]
    known: Float[Tensor, "n 8"]  # `KNOWN`; NaN where not given


def simulate(
    world: Float[Tensor, "n joints 3"],
    options: EngineOptions,
    generator: torch.Generator | None = None,
) -> Sample:
    """Return each pose on another body, seen by a random camera and detected in a random format.

    Args:
        world: poses in the joints of `BODY_46`, z up, metres.
        options: settings.
        generator: random generator.
    """
    device = world.device
    body = posture.extend_legs(mirrored(world, generator), options.shortening, generator)
    body = posture.exchange_limbs(body, options.exchange, generator)
    body = posture.rotate_segments(body, options.posture, generator)
    body = tumble(body, options.tumbled, generator)
    body = body_shape.vary_bone_lengths(
        body, body_shape.deviations(options.limb, options.surface), options.stature, generator
    )
    view = cameras.draw_views(body, _ROOT, _HEAD, options.cameras, generator)
    provided, _ = joint_definitions.draw_formats(len(world), options.formats, device, generator)
    seen = joint_definitions.displace(view.pose3d, options.definitions, generator)
    seen = torch.cat([seen[..., :2], seen[..., 2:].clamp(min=cameras.MIN_DEPTH / 2)], dim=-1)
    seen_view = view._replace(pose3d=seen)
    pose2d, confidence = detector_errors.detect(
        seen_view.project(), provided, seen_view.inside(), options.detector, generator
    )
    values = known_quantities(view.pose3d, view.focal, view.center)
    known = hide(values, options.known, generator)
    return Sample(pose2d, confidence, view.pose3d, view.focal, view.center, known)


def mirrored(
    pose3d: Float[Tensor, "n joints 3"], generator: torch.Generator | None = None
) -> Float[Tensor, "n joints 3"]:
    """Return poses of which a random half is mirrored."""
    flip = torch.rand(len(pose3d), generator=generator, device=pose3d.device) < 0.5
    other = pose3d[:, list(BODY_46.mirror)] * pose3d.new_tensor([-1.0, 1.0, 1.0])
    return torch.where(flip[:, None, None], other, pose3d)


def tumble(
    pose3d: Float[Tensor, "n joints 3"], share: float, generator: torch.Generator | None = None
) -> Float[Tensor, "n joints 3"]:
    """Return poses of which a random share is rotated about the root joint, uniformly."""
    n, device = len(pose3d), pose3d.device
    quaternion = torch.randn(n, 4, generator=generator, device=device)
    quaternion = torch.nn.functional.normalize(quaternion, dim=1)
    angle = 2 * torch.acos(quaternion[:, :1].clamp(-1, 1))
    axis = torch.nn.functional.normalize(quaternion[:, 1:], dim=1)
    turn = rotvec_to_rotmat(angle * axis)
    is_tumbled = torch.rand(n, generator=generator, device=device) < share
    root = pose3d[:, _ROOT, None]
    turned = (pose3d - root) @ turn.mT + root
    return torch.where(is_tumbled[:, None, None], turned, pose3d)


def known_quantities(
    pose3d: Float[Tensor, "n joints 3"], focal: Float[Tensor, "n 2"], center: Float[Tensor, "n 2"]
) -> Float[Tensor, "n 8"]:
    """Return the values of `KNOWN`."""
    lengths = []
    for outer, inner in LIMBS:
        sides = [
            torch.linalg.vector_norm(
                pose3d[:, BODY_46.index(f"{side}_{outer}")]
                - pose3d[:, BODY_46.index(f"{side}_{inner}")], dim=-1,
            )
            for side in ("left", "right")
        ]  # fmt: skip
        lengths.append((sides[0] + sides[1]) / 2)
    height = body_height(pose3d, BODY_46)
    return torch.cat([focal[:, :1], center, torch.stack([height, *lengths], dim=1)], dim=1)


def hide(
    known: Float[Tensor, "n 8"], share: float, generator: torch.Generator | None = None
) -> Float[Tensor, "n 8"]:
    """Return known quantities, most of them NaN: given in a share of the rows, there every second.

    The principal point is given only together with the focal length.
    """
    n, device = len(known), known.device
    is_given = torch.rand(n, len(KNOWN), generator=generator, device=device) < 0.5
    is_given &= torch.rand(n, 1, generator=generator, device=device) < share
    names = list(KNOWN)
    is_given[:, names.index("center")] &= is_given[:, names.index("focal")]
    counts = torch.tensor(list(KNOWN.values()), device=device)
    return torch.where(is_given.repeat_interleave(counts, dim=1), known, torch.nan)
