"""Settings of a training run; schedule and loss weights are those of the paper by default.

The text below each field documents it. Fields with limits list them in `metadata`: `min` and `max`
are inclusive, `above` is exclusive. `config_io` reads and checks configuration files.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from camerapose.models.config import ModelConfig

#: Accepted ranges, as metadata of fields.
SHARE = {"min": 0, "max": 1}
NOT_NEGATIVE = {"min": 0}
POSITIVE = {"above": 0}
COUNT = {"min": 1}


@dataclass
class DataConfig:
    """Training and validation data, table `[data]`."""

    human36m: str | None = "data/h36m"
    """Folder with data_3d_h36m.npz (layout of VideoPose3D): 2D-3D pairs. false: not used."""
    mpii: str | None = "data/mpii"
    """Folder with annot/train.json or the .mat file of MPII: 2D-only poses. Skipped with a message
    if it is absent. false: not used."""
    synthetic: int = field(default=0, metadata=NOT_NEGATIVE)
    """Number of synthetic 2D-3D pairs, in addition to or instead of Human3.6M."""
    pairs: dict[str, Any] = field(default_factory=dict)
    """Further 2D-3D pairs, from any data set of `camerapose data list`: NAME = "FOLDER", or
    NAME = {root = "FOLDER", ...} with options of that data set."""
    unlabelled: dict[str, Any] = field(default_factory=dict)
    """Further 2D-only poses (2D annotations without 3D labels), in the same form."""
    detections: str | None = None
    """Also train on detected 2D: NAME of data_2d_h36m_NAME.npz in the Human3.6M folder."""
    skeleton: str = "h36m_16"
    """Joint format of the model."""
    subjects: tuple[str, ...] = ("S1", "S5", "S6", "S7", "S8")
    """Human3.6M subjects to train on. S9 and S11 are the test set."""
    held_out: tuple[str, ...] = ()
    """Human3.6M subjects removed from `subjects` and used for validation. For data sets in `pairs`:
    NAME = {root = "FOLDER", held_out = ["SUBJECT"]}."""
    validation_share: float = field(default=0.02, metadata={"min": 0, "max": 0.5})
    """Share of the recordings of each data set without held-out subjects that is used for
    validation instead of training."""
    frame_step: int = field(default=1, metadata=COUNT)
    """Keep every n-th frame of each Human3.6M sequence."""
    min_joints: int = field(default=8, metadata=COUNT)
    """2D-only people with fewer annotated joints are not used; a number above that of the joint
    format requires all. Without a refinement network, which estimates missing joints, all are
    required."""
    epoch_parts: int = field(default=1, metadata=COUNT)
    """Number of random, disjoint parts that the pairs are divided into; each epoch uses the next
    part. Compared with `frame_step`, more distinct poses are seen in the same time."""


@dataclass
class NoiseConfig:
    """Simulated 2D detector, table `[noise]`.

    The confidence of a joint follows its noise level, not the error that was drawn.
    """

    clean: float = field(default=0.5, metadata=SHARE)
    """Share of samples with clean (ground-truth) 2D."""
    detected: float = field(default=0.15, metadata=SHARE)
    """Share of samples with real detections, if `data.detections` is set. All others are noisy."""
    level: float = field(default=0.08, metadata=NOT_NEGATIVE)
    """Median standard deviation of a joint's error, relative to the spread of the person's joints
    in the image."""
    missing: float = field(default=0.04, metadata=SHARE)
    """Probability that a joint is missing."""
    truncated: float = field(default=0.2, metadata=SHARE)
    """Share of the noisy samples that lack a limb or both legs, as at the border of an image."""
    interpolated: float = field(default=0.5, metadata=SHARE)
    """Share of the noisy samples whose pelvis, spine, thorax and head are interpolated from other
    joints, as when detections are converted from another joint format."""
    redefined: float = field(default=0.5, metadata=SHARE)
    """Share of the noisy samples whose hips, shoulders, head and extremities are displaced to where
    other joint formats define them."""


@dataclass
class Schedule:
    """Schedule of one training stage, tables `[refine]`, `[warmup]` and `[joint]`."""

    epochs: int = field(metadata=NOT_NEGATIVE)
    """Passes over the pairs; 0 skips the stage."""
    batch: int = field(default=1024, metadata={"min": 2})
    """Pairs per iteration."""
    lr: float = field(default=1e-4, metadata=POSITIVE)
    """Learning rate; the maximum for one_cycle."""
    decay: Literal["steps", "linear", "one_cycle"] = "steps"
    """steps: times 0.1 at each of `milestones`; linear: to zero; one_cycle: increasing during the
    first tenth, then decreasing (cosine)."""
    milestones: tuple[int, ...] = ()
    """Epochs at which the learning rate is multiplied by 0.1 (decay = "steps")."""


@dataclass
class AdversarialConfig:
    """Pose generator and discriminators, table `[adversarial]` (weights from PoseAug)."""

    generated_share: float = field(default=1.0, metadata=SHARE)
    """Generated pairs per annotated pair in the joint stage; 0 disables generator and
    discriminators."""
    interval: int = field(default=1, metadata=COUNT)
    """Update generator and discriminators in every n-th iteration."""
    batch: int = field(default=1024, metadata=COUNT)
    """Pairs per adversarial update."""
    lr: float = field(default=1e-4, metadata=POSITIVE)
    """Learning rate of generator and discriminators."""
    in_warmup: bool = False
    """Train the lifter on generated pairs in the warm-up, too."""
    follow_schedule: bool = False
    """Train generator and discriminators with the learning rate of the current stage instead of
    `lr`."""
    monitored: bool = True
    """Pause dominant discriminators and restore a collapsed generator."""
    generator: Literal["random_view", "paper"] = "random_view"
    """random_view: random cameras, adjusted by the generator; paper: three networks that predict
    bone angles, bone lengths, and view and position, seen by the camera of the source."""
    vary_focal: bool = True
    """Draw focal lengths between 1 and 4 (normalised); otherwise keep those of the sources."""
    roll_std: float = field(default=10.0, metadata=NOT_NEGATIVE)
    """Standard deviation of the roll of generated cameras, in degrees. Hand-held cameras are rarely
    level."""
    unlabelled_sources: float = field(default=0.0, metadata=SHARE)
    """Share of generated pairs whose source is a 2D-only pose, lifted by the current model."""
    layout: bool = True
    """D_2D also scores position and size in the image (as PoseAug's D_2D), next to part-aware
    KCS."""
    reprojected_fakes: bool = True
    """Include reprojected 2D-only poses in the fake samples of D_2D (Eq. 13)."""
    unlabelled_real: bool = True
    """Include 2D-only annotations in the real samples of D_2D."""
    d2d_weight: float = field(default=1.0, metadata=NOT_NEGATIVE)
    """Weight of D_2D in the loss of the generator."""
    d3d_weight: float = field(default=6.0, metadata=NOT_NEGATIVE)
    """Weight of D_3D in the loss of the generator."""
    range_weight: float = field(default=3.0, metadata=NOT_NEGATIVE)
    """Weight of the range losses of the generator (bone angles, bone lengths)."""
    feedback_angle_weight: float = field(default=0.1, metadata=NOT_NEGATIVE)
    """Weight of the lifter's feedback on poses with changed bone angles."""
    feedback_view_weight: float = field(default=0.01, metadata=NOT_NEGATIVE)
    """Weight of the lifter's feedback on poses with changed view."""


@dataclass
class LossWeights:
    """Weights of the loss terms, table `[weights]` (Eqs. 16, 17 and section 4.3)."""

    refine: float = field(default=10.0, metadata=NOT_NEGATIVE)
    """L_ref on pairs (not stated in the paper, whose Eq. 4 divides by the number of joints
    twice)."""
    refine_unlabelled: float = field(default=10.0, metadata=NOT_NEGATIVE)
    """L_ref on 2D-only poses."""
    camera: float = field(default=0.01, metadata=NOT_NEGATIVE)
    """L_cam."""
    reprojection: float = field(default=0.5, metadata=NOT_NEGATIVE)
    """L_2D on pairs."""
    reprojection_unlabelled: float = field(default=0.2, metadata=NOT_NEGATIVE)
    """L_2D on 2D-only poses."""
    pose: float = field(default=1.0, metadata=NOT_NEGATIVE)
    """L_3D; its form is set by `pose_loss`."""
    bone_direction: float = field(default=0.0, metadata=NOT_NEGATIVE)
    """One minus the cosine between predicted and true bones of pairs."""
    distillation: float = field(default=0.0, metadata=NOT_NEGATIVE)
    """Mean distance to the mean prediction of `teachers`, on pairs in the joint stage."""
    bone_prior_unlabelled: float = field(default=0.05, metadata=NOT_NEGATIVE)
    """Bone proportions, left-right symmetry and body size of 2D-only poses; prevents flat
    solutions of L_2D."""
    height_unlabelled: float = field(default=0.0, metadata=NOT_NEGATIVE)
    """Average body height for 2D-only poses, whose scale nothing else determines."""
    d3d_unlabelled: float = field(default=0.0, metadata=NOT_NEGATIVE)
    """Score of D_3D on lifted 2D-only poses."""
    d2d_unlabelled: float = field(default=0.01, metadata=NOT_NEGATIVE)
    """Score of D_2D on reprojected 2D-only poses."""


def _schedule(**settings: Any) -> Any:
    return field(default_factory=lambda: Schedule(**settings))


@dataclass
class Config:
    """A training run."""

    seed: int = field(default=0, metadata={"min": 0, "max": 1_000_000_000})
    """Seed of all random numbers."""
    device: str = "auto"
    """cpu, cuda or auto."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the factors of matrix products; sums and weights are always float32. bfloat16 is
    faster on processors that support it and has no effect on others."""
    compile: bool = False
    """Fuse operations with torch.compile: fewer, larger kernels on a GPU. Requires a C++ compiler
    and about a minute at the start; no gain on the CPU."""
    flip_augmentation: bool = True
    """Mirror half of the samples left-right."""
    bone_length_std: float = field(default=0.0, metadata=SHARE)
    """Bone-length augmentation: standard deviation of the logarithm of random bone lengths; 0.05 is
    about that of adults, 0 keeps the recorded bone lengths."""
    pose_loss: Literal["mean_square", "mean_distance"] = "mean_square"
    """L_3D as mean squared distance of the joints (Eq. 9) or as mean distance (MPJPE)."""
    camera_loss: Literal["logarithmic", "printed"] = "logarithmic"
    """L_cam of logarithms and ratios, or of the parameters themselves (Eq. 8)."""
    reprojection_loss: Literal["relative", "printed"] = "relative"
    """L_2D relative to the person's size and robust, or squared distances (Eq. 7)."""
    refinement_loss: Literal["crop", "printed"] = "crop"
    """L_ref relative to the person's size, or in image coordinates (Eq. 4)."""
    updates: Literal["together", "alternating"] = "together"
    """Joint stage: pairs, generated pairs and 2D-only poses in one update, or 2D-only poses in an
    update of their own (section 4.3)."""
    unlabelled_updates: Literal["all", "camera"] = "all"
    """Networks that the updates on 2D-only poses change if they alternate: all, or the camera
    branch alone (section 4.3)."""
    refiner_lr_scale: float = field(default=0.25, metadata=NOT_NEGATIVE)
    """Learning rate of the refinement network in the joint stage, relative to `joint.lr`; 0 freezes
    it after its own stage."""
    frozen_norm_share: float = field(default=0.0, metadata=SHARE)
    """Final share of the joint stage with frozen batch norm (running statistics, as in prediction).
    Without it, rare poses (lying, upside down) may be predicted metres too large."""
    weight_decay: float = field(default=0.0, metadata=NOT_NEGATIVE)
    """Weight decay of AdamW; 0 is Adam."""
    unlabelled_batch: int = field(default=256, metadata=NOT_NEGATIVE)
    """2D-only poses per iteration of the joint stage."""
    init: str | None = None
    """Weights to begin with: name, run folder or file (`--init`). false: random weights. From
    another joint format, all but the layers whose size depends on it."""
    init_components: tuple[str, ...] = ()
    """Components that `init` provides: refiner, lifter, camera_branch; empty: all of them."""
    teachers: tuple[str, ...] = ()
    """Weights whose mean prediction is a further target of the joint stage (`distillation` in
    `[weights]`), for the same 2D: names, run folders or files, in the joint format of the data."""
    ema: float = field(default=0.0, metadata={"min": 0, "max": 0.99999})
    """Decay of the exponential moving average of the weights, which is validated and exported
    instead of the last weights; 0: no average."""
    patience: int = field(default=0, metadata=NOT_NEGATIVE)
    """Early stopping: end the joint stage when this number of epochs brought no better validation;
    0: never."""
    checkpoint_minutes: float = field(default=5.0, metadata=NOT_NEGATIVE)
    """Interval between checkpoints."""
    figures: int = field(default=4, metadata=NOT_NEGATIVE)
    """Validation poses drawn after each epoch; 0 draws none."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    refine: Schedule = _schedule(epochs=100, lr=1e-4, milestones=(30, 60, 90))
    """Stage 1: the refinement network alone."""
    warmup: Schedule = _schedule(epochs=10, lr=1e-4)
    """Stage 2: lifter, camera branch, generator and discriminators on pairs."""
    joint: Schedule = _schedule(epochs=75, lr=5e-4, milestones=(30, 60))
    """Stage 3: all networks, on pairs, generated pairs and 2D-only poses."""
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    weights: LossWeights = field(default_factory=LossWeights)
