"""Translate configuration keys of stored results to the current ones.

The files in `benchmarks/results` contain the configuration with which a row was trained. Those
written before the keys were renamed are kept as they are and translated when they are read.
"""

from typing import Any

#: Old key: current key.
RENAMED = {
    "mirror": "flip_augmentation",
    "bodies": "bone_length_std",
    "refiner_rate": "refiner_lr_scale",
    "norms_rest": "frozen_norm_share",
    "wild_batch": "unlabelled_batch",
    "pictures": "figures",
    "data.wild": "data.unlabelled",
    "noise.exact": "noise.clean",
    "noise.cut": "noise.truncated",
    "noise.made": "noise.interpolated",
    "noise.definitions": "noise.redefined",
    "adversary.share": "adversarial.generated_share",
    "adversary.every": "adversarial.interval",
    "adversary.batch": "adversarial.batch",
    "adversary.lr": "adversarial.lr",
    "adversary.vary_focal": "adversarial.vary_focal",
    "adversary.roll": "adversarial.roll_std",
    "adversary.wild_sources": "adversarial.unlabelled_sources",
    "adversary.layout": "adversarial.layout",
    "adversary.reprojected": "adversarial.reprojected_fakes",
    "adversary.wild": "adversarial.unlabelled_real",
    "adversary.d2d": "adversarial.d2d_weight",
    "adversary.d3d": "adversarial.d3d_weight",
    "adversary.range": "adversarial.range_weight",
    "adversary.feedback_angle": "adversarial.feedback_angle_weight",
    "adversary.feedback_view": "adversarial.feedback_view_weight",
    "weights.refine_wild": "weights.refine_unlabelled",
    "weights.reprojection_wild": "weights.reprojection_unlabelled",
    "weights.prior_wild": "weights.bone_prior_unlabelled",
    "weights.height_wild": "weights.height_unlabelled",
    "weights.d3d_wild": "weights.d3d_unlabelled",
    "weights.d2d_wild": "weights.d2d_unlabelled",
}
#: `weights.distance` was a flag; it became the top-level key `pose_loss`.
POSE_LOSS = {True: "mean_distance", False: "mean_square"}
#: Tables of settings; the value of any other key is a single setting.
TABLES = ("data", "model", "noise", "refine", "warmup", "joint", "adversary", "weights")


def translate(changes: dict[str, Any]) -> dict[str, Any]:
    """Translate settings by their dotted keys (`noise.exact`); current keys are kept."""
    translated = {}
    for key, value in changes.items():
        if key == "weights.distance":
            translated["pose_loss"] = POSE_LOSS[value]
        else:
            translated[RENAMED.get(key, key)] = value
    return translated


def flatten(config: dict[str, Any]) -> dict[str, Any]:
    """Return nested tables of settings as one dictionary with dotted keys."""
    flat = {}
    for key, value in config.items():
        if key in (*TABLES, "adversarial") and isinstance(value, dict):
            flat |= {f"{key}.{name}": entry for name, entry in value.items()}
        else:
            flat[key] = value
    return flat
