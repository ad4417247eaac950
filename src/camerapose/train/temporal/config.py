"""Settings of the training of temporal models: the recipe "temporal"."""

from dataclasses import dataclass, field
from typing import Any, Literal

from camerapose.data.augment.clips import ClipCameraOptions
from camerapose.data.augment.detector_errors import DetectorOptions
from camerapose.train.config import Schedule


@dataclass
class TemporalData:
    """Data sets; false: not used."""

    human36m: str | None = None
    """Folder of data_3d_h36m.npz: research weights only."""
    human36m_subjects: tuple[str, ...] = ("S1", "S5", "S6", "S7")
    """Human3.6M subjects for training."""
    detections: str | None = "sh_pt_mpii"
    """NAME of data_2d_h36m_NAME.npz: detections in Human3.6M's images, whose errors are used."""
    open_mocap: str | None = "data/open"
    """Folder of open_mocap.npz and anny_pairs.npz."""
    held_out: tuple[str, ...] = ("S8", "cmu/05", "cmu/14")
    """Subjects for validation."""
    clips: int = field(default=3000, metadata={"min": 1})
    """Number of clips for training; they are lifted once, before the training."""
    validation_clips: int = field(default=200, metadata={"min": 1})
    """Number of clips for validation."""
    frames: int = field(default=80, metadata={"min": 28})
    """Largest number of frames of a clip."""
    clean_share: float = field(default=0.2, metadata={"min": 0.0, "max": 1.0})
    """Share of Human3.6M's clips with other bodies and a camera like the recording's, without
    errors."""
    detected_share: float = field(default=0.3, metadata={"min": 0.0, "max": 1.0})
    """Share of such clips with the errors of `detections`."""
    open_share: float = field(default=0.15, metadata={"min": 0.0, "max": 1.0})
    """Share of clips of `open_mocap`. The rest are Human3.6M's movements with other bodies, seen by
    random cameras with simulated detector errors."""
    moving: float = field(default=0.4, metadata={"min": 0.0, "max": 1.0})
    """Share of random cameras that move."""
    swapped: float = field(default=0.2, metadata={"min": 0.0, "max": 1.0})
    """Share of simulated clips in which left and right are exchanged for a few frames."""
    limb: float = field(default=0.06, metadata={"min": 0.0})
    """Standard deviation of the logarithm of bone lengths: the errors of the lifter on the bodies
    that it was trained on are too small."""
    stature: float = field(default=0.03, metadata={"min": 0.0})
    """The same for the size of the body."""
    shortening: tuple[float, float] = (0.9, 0.97)
    """Range of the factor by which the legs of the recorded people of `open_mocap` are shorter than
    those of the motion (`posture.extend_legs`)."""


@dataclass
class TemporalWeights:
    """Weights of the losses."""

    pose: float = 1.0
    """Mean distance of the joints, metres."""
    velocity: float = 2.0
    """Mean distance of their displacements between consecutive frames, metres."""


@dataclass
class TemporalConfig:
    """A training run of a temporal model."""

    recipe: str = "temporal"
    """Distinguishes these files from those of other recipes."""
    seed: int = 0
    """Seed of all random numbers."""
    device: str = "auto"
    """cpu, cuda or auto."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of matrix products in training; weights and prediction are always float32."""
    lifter: str = "human36m"
    """Weights of the lifter, as for `--weights`; they are not changed."""
    network: str = "dilated"
    """A file of `camerapose/models/temporal`."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of the network, such as width and dropout."""
    iterations: int = field(default=1500, metadata={"min": 1})
    """Number of updates."""
    batch: int = field(default=32, metadata={"min": 1})
    """Clips per update."""
    frames: int = field(default=54, metadata={"min": 2})
    """Estimated frames per clip."""
    lr: float = field(default=2e-3, metadata={"above": 0.0})
    """Highest learning rate of a one-cycle schedule."""
    weight_decay: float = field(default=1e-2, metadata={"min": 0.0})
    """Weight decay of AdamW."""
    clip: float = field(default=1.0, metadata={"above": 0.0})
    """Largest norm of the gradient."""
    ema: float = field(default=0.995, metadata={"min": 0, "max": 0.99999})
    """Decay of the exponential moving average of the weights, which is validated and exported."""
    causal: float = field(default=0.5, metadata={"min": 0.0, "max": 1.0})
    """Share of clips whose frames are estimated from earlier ones only."""
    gaps: float = field(default=0.3, metadata={"min": 0.0, "max": 1.0})
    """Share of clips in which the person is not detected in some frames."""
    short: float = field(default=0.15, metadata={"min": 0.0, "max": 1.0})
    """Share of clips in which the person is visible for 1 to 26 frames."""
    validate_every: int = field(default=250, metadata={"min": 1})
    """Iterations between validations and checkpoints."""
    data: TemporalData = field(default_factory=TemporalData)
    weights: TemporalWeights = field(default_factory=TemporalWeights)
    cameras: ClipCameraOptions = field(default_factory=ClipCameraOptions)
    """Random cameras."""
    detector: DetectorOptions = field(default_factory=lambda: DetectorOptions(swaps=0.0))
    """Simulated detector errors."""

    @property
    def schedule(self) -> Schedule:
        """Learning rate schedule."""
        return Schedule(epochs=1, batch=self.batch, lr=self.lr, decay="one_cycle")
