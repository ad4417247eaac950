"""Settings of the training on simulated detections: the recipe "simulated"."""

from dataclasses import dataclass, field
from typing import Literal

from camerapose.data.augment.engine import EngineOptions
from camerapose.train.config import AdversarialConfig, Schedule


@dataclass
class SimulatedData:
    """Data sets; false: not used."""

    anny: str | None = "data/open"
    """Folder of anny_pairs.npz."""
    cmu_dance: str | None = None
    """Folder of cmu_dance_martial.npz and anny_pairs.npz."""
    human36m: str | None = None
    """Folder of data_3d_h36m.npz: research weights only. Its joints alone are supervised."""
    human36m_subjects: tuple[str, ...] = ("S1", "S5", "S6", "S7", "S8")
    """Human3.6M subjects for training."""
    human36m_share: float = field(default=0.4, metadata={"min": 0.0, "max": 1.0})
    """Share of Human3.6M's poses in a batch."""
    human36m_own: float = field(default=0.0, metadata={"min": 0.0, "max": 1.0})
    """Share of them that its own cameras see (`train.simulated.own_views`); the others are seen by
    generated cameras."""
    human36m_detections: str = ""
    """NAME of data_2d_h36m_NAME.npz: real detections among them. Empty: none."""
    rendered: str | None = None
    """Folder of anny_pairs.npz: a real detector's detections on rendered bodies."""
    rendered_images: str = ""
    """Folder of its images and detections; empty: `rendered`/rendered."""
    rendered_n: int = field(default=2000, metadata={"min": 1})
    """Number of its images, per detector model."""
    rendered_models: tuple[str, ...] = ("heavy", "full")
    """Models of BlazePose whose detections are used."""
    rendered_share: float = field(default=0.2, metadata={"min": 0.0, "max": 1.0})
    """Share of rendered people in a batch."""
    mpii: str | None = None
    """Folder of MPII's annotations: 2D only."""
    coco: str | None = None
    """Folder of COCO's annotations: 2D only."""
    held_out: tuple[str, ...] = ("cmu/05", "cmu/14")
    """Subjects of `anny` for validation and calibration; empty for the final training."""
    frames: int = field(default=0, metadata={"min": 0})
    """Number of 3D frames to train on: whole clips in random order, the same for every seed; the
    last one is cut. 0: all."""
    balance: float = field(default=0.5, metadata={"min": 0.0, "max": 1.0})
    """The probability of a clip is its number of frames to the power of 1 - balance."""


@dataclass
class Network:
    """Sizes of the network (`models.body_model.BodyModel`)."""

    width: int = field(default=512, metadata={"min": 8})
    """Width of the hidden layers."""
    blocks: int = field(default=3, metadata={"min": 1})
    """Number of residual blocks."""
    dropout: float = field(default=0.0, metadata={"min": 0.0, "max": 0.9})
    """Dropout probability."""


@dataclass
class SimulatedWeights:
    """Weights of the losses."""

    pose: float = 1.0
    """Mean distance of the joints, root-relative, metres."""
    likelihood: float = 0.01
    """Negative Gaussian log-likelihood of the errors per coordinate."""
    focal: float = 0.05
    """Mean absolute difference of the logarithms of focal lengths."""
    bones: float = 0.0
    """Mean absolute error of bone lengths, metres."""
    reprojection: float = 0.05
    """Mean reprojection error of 2D-only poses relative to the person's spread."""
    prior: float = 0.02
    """Plausible bone lengths of 2D-only poses (`losses.bone_prior_loss`)."""


@dataclass
class SimulatedConfig:
    """A training run on simulated detections."""

    recipe: str = "simulated"
    """Distinguishes these files from those of the three stages."""
    seed: int = 0
    """Seed of all random numbers."""
    device: str = "auto"
    """cpu, cuda or auto."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the residual blocks in training; weights and prediction are always float32.
    bfloat16 is faster on processors that support it (1.7x on Zen 4)."""
    iterations: int = field(default=4000, metadata={"min": 1})
    """Number of updates."""
    batch: int = field(default=1024, metadata={"min": 2})
    """Simulated poses per update."""
    unlabelled_batch: int = field(default=0, metadata={"min": 0})
    """2D-only poses per update."""
    lr: float = field(default=2e-3, metadata={"above": 0.0})
    """Highest learning rate of a one-cycle schedule."""
    weight_decay: float = field(default=1e-2, metadata={"min": 0.0})
    """Weight decay of AdamW."""
    clip: float = field(default=1.0, metadata={"above": 0.0})
    """Largest norm of the gradient."""
    calibration: float = field(default=1.0, metadata={"above": 0.0})
    """Factor of the standard deviations if no subject is held out: that of a run with held-out
    subjects (`calibration` in its last validation)."""
    init: str | None = None
    """Weights to begin with: a run folder of this recipe, or its model.pt (`--init`). false:
    random weights."""
    ema: float = field(default=0.0, metadata={"min": 0, "max": 0.99999})
    """Decay of the exponential moving average of the weights, which is validated and exported; 0:
    no average."""
    validate_every: int = field(default=500, metadata={"min": 1})
    """Iterations between validations and checkpoints."""
    data: SimulatedData = field(default_factory=SimulatedData)
    network: Network = field(default_factory=Network)
    weights: SimulatedWeights = field(default_factory=SimulatedWeights)
    engine: EngineOptions = field(default_factory=EngineOptions)
    adversarial: AdversarialConfig = field(
        default_factory=lambda: AdversarialConfig(generated_share=0.0, interval=4, batch=256)
    )
    """The paper's pose generator (`train.simulated.generated`); `generated_share` enables it."""

    @property
    def schedule(self) -> Schedule:
        """Learning rate schedule."""
        return Schedule(epochs=1, batch=self.batch, lr=self.lr, decay="one_cycle")
