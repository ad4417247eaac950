"""The one truth about settings: defaults are the paper's, a TOML file lists differences.

Each field's meaning stands under it. On the command line `camerapose train CONFIG --set KEY=VALUE`
wins over the file.
"""

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from camerapose.models.config import ModelConfig


@dataclass
class Data:
    """What to learn from."""

    human36m: str | None = "data/h36m"
    """Folder with data_3d_h36m.npz (VideoPose3D's layout): 2D-3D pairs. None: do without."""
    mpii: str | None = "data/mpii"
    """Folder with annot/train.json or MPII's .mat: 2D only. Skipped, in words, if absent."""
    synthetic: int = 0
    """So many made bodies seen by made cameras, as pairs beside (or instead of) Human3.6M."""
    pairs: dict[str, Any] = field(default_factory=dict)
    """More 2D-3D pairs, of any files of camerapose/datasets: NAME = "FOLDER", or NAME = {root =
    "FOLDER", ...} with options of its own."""
    wild: dict[str, Any] = field(default_factory=dict)
    """More 2D without 3D, said in the same way."""
    detections: str | None = None
    """Also learn from detected 2D: NAME of data_2d_h36m_NAME.npz beside the 3D."""
    skeleton: str = "h36m_16"
    """Joint format to learn."""
    subjects: tuple[str, ...] = ("S1", "S5", "S6", "S7", "S8")
    """Human3.6M subjects to learn from. S9 and S11 are the test set."""
    held_out: tuple[str, ...] = ()
    """Human3.6M subjects taken out of `subjects` for validation. The last epoch is always the
    one that is kept, so nothing is ever selected on test data."""
    frame_step: int = 1
    """Every how many-th frame of a sequence to use."""
    epoch_parts: int = 1
    """An epoch passes over one of so many parts of the pairs, drawn at random; the next over the
    next, until all were passed. More different poses for the same time than with `frame_step`."""


@dataclass
class Noise:
    """The model of detectors that makes noisy 2D from exact 2D. Confidence follows the noise
    level that was drawn for a joint, never the error that came of it."""

    exact: float = 0.5
    """Share of samples that are left exact, as the protocol "ground-truth 2D" has them."""
    detected: float = 0.15
    """Share of samples that take the real detections, where there are any."""
    level: float = 0.08
    """Typical error of a joint, in units of the person's spread in the image."""
    missing: float = 0.04
    """Probability of a joint to be missing."""
    cut: float = 0.2
    """Share of the noisy samples that lack a limb or both legs, as pictures often do."""
    made: float = 0.5
    """Share of the noisy samples whose pelvis, spine, thorax and head are made from other joints,
    as those of a detector with another joint format are."""
    definitions: float = 0.5
    """Share of the noisy samples whose hips, shoulders, head and ends of limbs lie where another
    joint format defines them."""


@dataclass
class Schedule:
    """One stage of training."""

    epochs: int
    """Passes over the pairs; 0 skips the stage."""
    batch: int = 1024
    """Pairs in an iteration."""
    lr: float = 1e-4
    """Learning rate (of one_cycle: the highest)."""
    decay: Literal["steps", "linear", "one_cycle"] = "steps"
    """steps: times 0.1 at `milestones`; linear: to zero; one_cycle: up for a tenth, then down."""
    milestones: tuple[int, ...] = ()
    """Epochs at which the rate falls tenfold."""


@dataclass
class Adversary:
    """Generator and discriminators (weights from PoseAug)."""

    share: float = 1.0
    """Made pairs beside each pair; 0 turns generator and discriminators off."""
    every: int = 1
    """Update generator and discriminators in every how many-th iteration."""
    batch: int = 1024
    """Poses in such an update."""
    lr: float = 1e-4
    """Learning rate of generator and discriminators."""
    vary_focal: bool = True
    """Draw focal lengths from 1 to 4; if not, all are the source's."""
    roll: float = 10.0
    """Spread of the made cameras' roll, degrees. Few cameras stand level, least of all those held
    in a hand."""
    wild_sources: float = 0.0
    """Share of the made pairs whose source is a 2D-only pose as the model lifts it by now."""
    layout: bool = True
    """D_2D also sees place and size in the image (PoseAug's D_2D), beside part-aware KCS."""
    reprojected: bool = True
    """Reprojected 2D-only poses stand among D_2D's fakes (Eq. 13)."""
    wild: bool = True
    """2D-only annotations stand among D_2D's real poses."""
    d2d: float = 1.0
    """Weight of D_2D in the generator's loss."""
    d3d: float = 6.0
    """Weight of D_3D in the generator's loss."""
    range: float = 3.0
    """Weight of the generator's range losses."""
    feedback_angle: float = 0.1
    """Weight of the feedback on bent poses: harder for the lifter, but not too hard."""
    feedback_view: float = 0.01
    """Weight of the feedback on newly seen poses."""


@dataclass
class Weights:
    """Weights of the losses (Eqs. 16, 17 and section 4.3)."""

    refine: float = 10.0
    """L_ref, on pairs (not printed in the paper; its Eq. 4 divides by the joints twice)."""
    refine_wild: float = 10.0
    """L_ref, on 2D-only data."""
    camera: float = 0.01
    """L_cam."""
    reprojection: float = 0.5
    """L_2D on pairs."""
    reprojection_wild: float = 0.2
    """L_2D on 2D-only data."""
    pose: float = 1.0
    """L_3D."""
    distance: bool = False
    """L_3D as mean distance instead of mean square."""
    prior_wild: float = 0.05
    """Human proportions and symmetry of 2D-only poses, against flat solutions of L_2D."""
    height_wild: float = 0.0
    """Usual height of 2D-only poses, whose size nothing else tells."""
    d3d_wild: float = 0.0
    """D_3D's judgement of 2D-only poses, likewise."""
    d2d_wild: float = 0.01
    """D_2D's judgement of their reprojection."""


@dataclass
class Config:
    """A training run."""

    seed: int = 0
    """Everything random follows from it."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the factors in matrix products while training; sums and weights are always float32.
    bfloat16 is faster where the processor knows it, and changes nothing where it does not."""
    compile: bool = False
    """Let torch.compile fuse what stands between the networks' products: fewer, larger kernels for
    a GPU. Needs a C++ compiler and a minute at the start; on the CPU it gains nothing."""
    mirror: bool = True
    """Half of the samples are seen left-right mirrored."""
    bodies: float = 0.0
    """Spread (of the logarithm) of random bone lengths that each pair is given anew, 0.05 being
    about that of adults; 0 keeps the bodies as they were recorded."""
    refiner_rate: float = 0.25
    """The refiner's share of the learning rate in the joint stage; 0: it rests after its own."""
    norms_rest: float = 0.0
    """Share of the joint stage, at its end, in which batch norm computes as it will in prediction,
    with the statistics it has kept. Otherwise the rare pose (lying, upside down) that a batch's own
    statistics tame in training can come out metres too large (docs/log.md)."""
    weight_decay: float = 0.0
    """AdamW's; 0 is Adam."""
    wild_batch: int = 256
    """2D-only poses in an iteration of the joint stage."""
    checkpoint_minutes: float = 5.0
    """At most so much work is lost when a run is interrupted."""
    pictures: int = 4
    """Validation poses that are drawn after each epoch; 0 draws none."""
    data: Data = field(default_factory=Data)
    model: ModelConfig = field(default_factory=ModelConfig)
    noise: Noise = field(default_factory=Noise)
    refine: Schedule = field(
        default_factory=lambda: Schedule(epochs=100, lr=1e-4, milestones=(30, 60, 90))
    )
    """Stage 1: the refinement network alone."""
    warmup: Schedule = field(default_factory=lambda: Schedule(epochs=10, lr=1e-4))
    """Stage 2: lifter, camera branch, generator and discriminators on pairs."""
    joint: Schedule = field(
        default_factory=lambda: Schedule(epochs=75, lr=5e-4, milestones=(30, 60))
    )
    """Stage 3: everything, on pairs and 2D-only data."""
    adversary: Adversary = field(default_factory=Adversary)
    weights: Weights = field(default_factory=Weights)


def read(path: Path | str) -> Config:
    """The defaults with a TOML file's differences. ValueError names file, key and nearest field."""
    path = Path(path)
    try:
        differences = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no configuration at {path}; give a .toml such as configs/quick.toml"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from None
    return update(Config(), differences, str(path))


def update(config: Any, differences: dict[str, Any], source: str, prefix: str = "") -> Any:
    """A copy of a settings dataclass with some fields changed.

    Args:
        source: where the differences come from, for the error.
    """
    types = {f.name: f.type for f in dataclasses.fields(config)}
    names = list(types)
    changes = {}
    for key, value in differences.items():
        if key not in names:
            near = get_close_matches(key, names, n=1, cutoff=0.4)
            hint = f"did you mean {prefix}{near[0]}?" if near else "there is no such setting."
            raise ValueError(
                f"{source}: unknown key {prefix}{key}; {hint} Keys here: {', '.join(names)}"
            )
        old = getattr(config, key)
        if dataclasses.is_dataclass(old):
            if not isinstance(value, dict):
                raise ValueError(f"{source}: {prefix}{key} is a table; write [{prefix}{key}]")
            changes[key] = update(old, value, source, f"{prefix}{key}.")
        else:
            changes[key] = _checked(old, value, f"{source}: {prefix}{key}", key, types[key])
    return dataclasses.replace(config, **changes)


def _checked(old: Any, value: Any, where: str, key: str, annotation: Any) -> Any:
    """The value in the field's type; ValueError if it is of another kind."""
    if isinstance(old, tuple) and isinstance(value, list):
        kind = get_args(annotation)[0]
        if any(type(v) is not kind for v in value):
            raise ValueError(f"{where} = {value!r}; it takes a list, each a {kind.__name__}")
        return tuple(value)
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if key in ("human36m", "mpii", "detections"):  # the optional ones: false says "do without"
        if value is False or value is None:
            return None
        old = ""
    if type(value) is not type(old):
        raise ValueError(
            f"{where} = {value!r} is a {type(value).__name__}; it takes a "
            f"{type(old).__name__} such as {old!r}"
        )
    return value


def check(config: Config) -> Config:
    """The same settings; ValueError for those that cannot work."""
    for name in ("refine", "warmup", "joint"):
        stage: Schedule = getattr(config, name)
        if stage.decay not in ("steps", "linear", "one_cycle"):
            raise ValueError(f"{name}.decay = {stage.decay!r}; it takes steps, linear or one_cycle")
        if stage.epochs < 0 or stage.batch < 2 or not 0 < stage.lr < math.inf:
            raise ValueError(
                f"{name} needs epochs >= 0, batch >= 2 and lr > 0; it has epochs {stage.epochs}, "
                f"batch {stage.batch}, lr {stage.lr}"
            )
    for name in ("subjects", "held_out"):
        tested = {"S9", "S11"} & set(getattr(config.data, name))
        if tested:
            raise ValueError(
                f"data.{name} has {', '.join(sorted(tested))}: that is Human3.6M's test set; "
                "it takes some of S1, S5, S6, S7, S8"
            )
    if not 0 <= config.adversary.share <= 1 or config.adversary.every < 1:
        raise ValueError(
            f"adversary.share = {config.adversary.share} and every = {config.adversary.every}; "
            "share takes 0 to 1, every takes 1 or more"
        )
    if config.precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision = {config.precision!r}; it takes float32 or bfloat16")
    if not 0 <= config.norms_rest <= 1:
        raise ValueError(f"norms_rest = {config.norms_rest}; it takes 0 to 1")
    for name in ("frame_step", "epoch_parts"):
        if getattr(config.data, name) < 1:
            raise ValueError(f"data.{name} = {getattr(config.data, name)}; it takes 1 or more")
    return config


def as_dict(config: Any) -> dict[str, Any]:
    """Plain nested dictionaries, tuples as lists: what `update` and JSON take."""
    plain = {}
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if dataclasses.is_dataclass(value):
            value = as_dict(value)
        plain[f.name] = list(value) if isinstance(value, tuple) else value
    return plain


def to_toml(config: Config) -> str:
    """The whole configuration as TOML, readable again by `read`."""
    import json

    def value(v: Any) -> str:
        if v is None:
            return "false"
        if isinstance(v, dict):
            return "{" + ", ".join(f"{k} = {value(x)}" for k, x in v.items()) + "}"
        return json.dumps(v, ensure_ascii=False)

    lines, tables = [], []
    for key, entry in as_dict(config).items():
        is_table = dataclasses.is_dataclass(getattr(config, key))
        if is_table:
            tables += [f"\n[{key}]", *(f"{k} = {value(v)}" for k, v in entry.items())]
        else:
            lines.append(f"{key} = {value(entry)}")
    return "\n".join(lines + tables) + "\n"
