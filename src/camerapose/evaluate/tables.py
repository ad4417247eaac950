"""Summaries of an evaluation, and their table as text."""

from typing import Any

import numpy as np

from camerapose.data.datasets.human36m.recordings import action_name

#: Heading, unit and factor of each metric: metres become millimetres or centimetres, shares
#: percentages.
COLUMNS = {
    "mpjpe": ("MPJPE", "mm", 1000.0),
    "pa_mpjpe": ("PA-MPJPE", "mm", 1000.0),
    "n_mpjpe": ("N-MPJPE", "mm", 1000.0),
    "pck": ("PCK@150", "%", 100.0),
    "auc": ("AUC", "%", 100.0),
    "root_error": ("root", "mm", 1000.0),
    "root_error_calibrated": ("root, calib.", "mm", 1000.0),
    "focal_error": ("focal", "%", 100.0),
    "reprojection_error": ("reproj.", "px", 1.0),
    "implausible_bones": ("impl. bones", "%", 100.0),
    "asymmetry": ("asymmetry", "%", 100.0),
    "height": ("height", "cm", 100.0),
    "within_1_std": ("within 1 std", "%", 100.0),
    "within_2_std": ("within 2 std", "%", 100.0),
}
_MEANS = (
    "P1 is MPJPE, P2 is PA-MPJPE; frame-wise: mean over all poses; action-wise: mean of the "
    "actions' means"
)


def summarize(
    values: dict[str, np.ndarray],
    actions: np.ndarray | None,
    subjects: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return means over all poses, by action, and over the actions, in the units of `COLUMNS`.

    Args:
        values: one value per pose and metric, as `measure` returns them.
        actions: label of each pose; takes of an action are joined. None: no means by action.
        subjects: label of each pose, for means by subject.
    """

    def means(rows: Any) -> dict[str, float]:
        return {name: float(v[rows].mean() * COLUMNS[name][2]) for name, v in values.items()}

    summary: dict[str, Any] = {"frame_wise": means(slice(None))}
    if subjects is not None:
        names = subjects.astype(str)
        summary["by_subject"] = {str(name): means(names == name) for name in np.unique(names)}
    if actions is not None:
        takes, indices = np.unique(actions, return_inverse=True)
        names = np.array([action_name(take) for take in takes])
        of_pose = names[indices]
        by_action = {str(name): means(of_pose == name) for name in np.unique(names)}
        summary["by_action"] = by_action
        summary["action_wise"] = {
            column: float(np.mean([row[column] for row in by_action.values()]))
            for column in summary["frame_wise"]
        }
    return summary


def table(result: dict[str, Any]) -> str:
    """Return the result of `evaluate` as text, with the protocol above the numbers."""
    columns = list(result["frame_wise"])
    rows = [(name, row) for name, row in result.get("by_action", {}).items()]
    by_subject = result.get("by_subject", {})
    rows += [(f"subject {name}", row) for name, row in by_subject.items() if len(by_subject) > 1]
    rows.append(("all, frame-wise", result["frame_wise"]))
    if "action_wise" in result:
        rows.append(("all, action-wise", result["action_wise"]))
    width = max(len(name) for name, _ in rows)
    headings = [" ".join(COLUMNS[column][:2]) for column in columns]
    return "\n".join(
        [
            *_heading(result, columns),
            "",
            " " * width + "".join(f"  {heading:>11}" for heading in headings),
            *(
                f"{name:<{width}}" + "".join(f"  {row[c]:>11.2f}" for c in columns)
                for name, row in rows
            ),
        ]  # fmt: skip
    )


def _heading(result: dict[str, Any], columns: list[str]) -> list[str]:
    poses = f"poses: {result['poses']:,}"
    if result["frame_step"] > 1:
        poses += f" (1 frame in {result['frame_step']})"
    return [
        f"{result['weights']} ({result['runtime']})",
        f"protocol {result['protocol']}",
        *([_MEANS] if "mpjpe" in columns else []),
        "   ".join(
            [
                f"joints: {result['skeleton']} ({result['joints']})",
                f"2D: {result['source2d']}",
                poses,
                *(["flip averaging"] if result["flip_averaging"] else []),
                *(["rotated views"] if result["rotated_views"] else []),
            ]
        ),
    ]


def joint_table(by_joint: dict[str, float]) -> str:
    """Return the mean error of each joint as text."""
    width = max(map(len, by_joint))
    return "\n".join(
        ["mean error by joint, mm", *(f"{n:<{width}}  {v:>7.1f}" for n, v in by_joint.items())]
    )


def interval_text(result: dict[str, Any]) -> str:
    """Return the confidence intervals of a result as one line."""
    parts = [
        f"{COLUMNS[name][0]} {low:.2f} to {high:.2f} {COLUMNS[name][1]}"
        for name, (low, high) in result["intervals"].items()
    ]
    return f"95% intervals (bootstrap over {result['bootstrap_over']}): {', '.join(parts)}"


def comparison_text(comparison: dict[str, Any]) -> str:
    """Return the comparison with another model as text."""
    lines = [f"compared with {comparison['weights']}, pose by pose (negative: the first is better)"]
    for name, row in comparison["metrics"].items():
        low, high = row["interval"]
        verdict = "no clear difference" if low <= 0 <= high else "a difference"
        lines.append(
            f"{COLUMNS[name][0]}: {row['difference']:+.2f} mm ({low:+.2f} to {high:+.2f}, "
            f"{verdict}); the first is better in {100 * row['first_better']:.1f}% of the poses"
        )
    return "\n".join(lines)
