"""Rows of the accuracy tables, as differences from configs/matrix.toml."""

from typing import Any, NamedTuple

Changes = dict[str, Any]


class Row(NamedTuple):
    """One trained model; `changes` has keys as on the command line (`joint.epochs`)."""

    name: str
    table: str
    label: str
    changes: Changes


#: Neither generated pairs nor bone-length augmentation.
ALONE: Changes = {
    "adversarial.generated_share": 0.0,
    "bone_length_std": 0.0,
    "data.mpii": False,
    "unlabelled_batch": 0,
}
POSEAUG: Changes = {"data.mpii": False, "unlabelled_batch": 0}
METHODS: dict[str, tuple[str, Changes]] = {
    "alone": ("alone", ALONE),
    "poseaug": ("+ generator (PoseAug)", POSEAUG),
    "camerapose": ("+ generator + MPII (CameraPose)", {}),
}
LIFTERS: dict[str, Changes] = {
    "parts": {"model.lifter": "parts", "model.lifter_arguments": {"width": 256, "blocks": 5}},
    "videopose": {"model.lifter": "videopose", "model.lifter_arguments": {"dropout": 0.0}},
    "mlp": {"model.lifter": "mlp", "model.lifter_arguments": {"dropout": 0.0}},
    "semgcn": {"model.lifter": "semgcn"},
    "stgcn": {"model.lifter": "stgcn"},
}
#: Trained on detections, detector noise and some clean 2D. The refinement network is trained for
#: longer on its own, and its loss has a higher weight.
DETECTED: Changes = {"noise.clean": 0.2, "noise.detected": 0.4}
REFINED: Changes = {"refine.epochs": 8, "weights.refine": 10.0, "weights.refine_unlabelled": 10.0}
WITHOUT: Changes = {"model.refiner_hidden": 0}
ABLATIONS: dict[str, tuple[str, Changes]] = {
    "no-camera-loss": ("without the camera loss", {"weights.camera": 0.0}),
    "no-reprojected": (
        "without D_2D on reprojected poses",
        {"adversarial.reprojected_fakes": False},
    ),
    "no-focal": ("without the varied focal length", {"adversarial.vary_focal": False}),
    "no-bodies": ("without bone-length augmentation", {"bone_length_std": 0.0}),
    "no-prior": (
        "without the bone prior on 2D-only poses",
        {"weights.bone_prior_unlabelled": 0.0},
    ),
    "d3d-wild": ("with D_3D on 2D-only poses", {"weights.d3d_unlabelled": 0.01}),
    "d2d-wild": ("with D_2D on 2D-only poses", {"weights.d2d_unlabelled": 0.01}),
    "more-wild": ("four times as many 2D-only poses", {"unlabelled_batch": 256}),
    "louder-wild": (
        "ten times the weight of 2D-only poses",
        {"weights.reprojection_unlabelled": 0.5, "weights.bone_prior_unlabelled": 0.2},
    ),
    "wild-sources": (
        "lifted 2D-only poses as half of the generator's sources",
        {"adversarial.unlabelled_sources": 0.5},
    ),
    "height": ("with the height prior on 2D-only poses", {"weights.height_unlabelled": 0.05}),
    "wild-sources-height": (
        "the height prior and such sources",
        {"weights.height_unlabelled": 0.05, "adversarial.unlabelled_sources": 0.5},
    ),
    "more-wild-height": (
        "the height prior and four times as many 2D-only poses",
        {"weights.height_unlabelled": 0.05, "unlabelled_batch": 256},
    ),
    "squares": ("mean squared distance as L_3D", {"pose_loss": "mean_square"}),
    "paper-weights": (
        "the paper's weights",
        {
            "pose_loss": "mean_square",
            "weights.refine": 10.0,
            "weights.refine_unlabelled": 10.0,
            "weights.camera": 0.01,
            "weights.reprojection": 0.5,
            "weights.reprojection_unlabelled": 0.2,
            "weights.bone_prior_unlabelled": 0.05,
            "weights.d2d_unlabelled": 0.01,
        },
    ),
    "definitions": (
        "half of the samples with joints of other formats",
        {
            "noise.clean": 0.5,
            "noise.detected": 0.0,
            "noise.level": 0.01,
            "noise.missing": 0.0,
            "noise.truncated": 0.0,
            "noise.interpolated": 0.3,
            "noise.redefined": 1.0,
        },
    ),
    "level": ("level cameras", {"adversarial.roll_std": 0.0}),
    "no-mirror": ("without flip augmentation", {"flip_augmentation": False}),
    "float32": ("float32 products", {"precision": "float32"}),
}


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return a dotted key and its value as nested tables: {"joint": {"epochs": 3}}."""
    first, _, rest = key.partition(".")
    return {first: nested(rest, value) if rest else value}


def rows() -> list[Row]:
    """Return all rows, the most important first."""
    found = [
        Row(f"gt-{lifter}-{method}", "gt", f"`{lifter}` {label}", size | changes | WITHOUT)
        for lifter, size in LIFTERS.items()
        for method, (label, changes) in METHODS.items()
    ]
    best = LIFTERS["parts"]
    for method, (label, changes) in METHODS.items():
        base = best | changes | DETECTED
        found.append(Row(f"sh-{method}", "sh", f"`parts` {label}, refined", base | REFINED))
        found.append(Row(f"sh-{method}-without", "sh", f"`parts` {label}", base | WITHOUT))
    found += [
        Row(f"ablation-{name}", "ablation", label, best | changes | WITHOUT)
        for name, (label, changes) in ABLATIONS.items()
    ]
    found += [
        Row(
            f"h36m17-{method}", "h36m17", f"`parts` {label}",
            best | changes | WITHOUT | {"data.skeleton": "h36m_17"},
        )
        for method, (label, changes) in METHODS.items()
    ]  # fmt: skip
    return found


#: The refinement network of one row with the lifter of another (Table 5).
TRANSPLANTS = {
    "sh-alone-plugged": ("sh-alone-without", "sh-camerapose"),
    "sh-poseaug-plugged": ("sh-poseaug-without", "sh-camerapose"),
    "gt-alone-plugged": ("gt-parts-alone", "sh-camerapose"),
    "gt-poseaug-plugged": ("gt-parts-poseaug", "sh-camerapose"),
    "gt-camerapose-plugged": ("gt-parts-camerapose", "sh-camerapose"),
}
