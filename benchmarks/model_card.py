"""Model card of weights trained on simulated detections (`configs/open.toml`).

    python benchmarks/model_card.py runs/open --name open -o camerapose_open.md \\
        --results benchmarks/results/*-open.json

Data, licences and acknowledgements follow from the settings of the run, numbers from the result
files of accuracy.py, real_detections.py, rendered.py and peers.py, calibration from the validation
of the run. The section of limitations is written by hand; that of an existing card is kept.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from camerapose.io.files import write_text
from camerapose.io.weights import find_weights, temporal_file


class Source(NamedTuple):
    """A data set: what is used of it, its licence, the required acknowledgement."""

    use: str
    licence: str
    acknowledgement: str = ""
    is_commercial: bool = True


CMU = Source(
    "CMU Graphics Lab Motion Capture Database: postures",
    "free for all uses; may be part of commercial products, but not resold, even in converted form",
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217.",
)
#: Data sets by their key in `[data]`.
SOURCES: dict[str, tuple[Source, ...]] = {
    "anny": (
        CMU,
        Source("Mesh2Motion: keyframed postures", "CC0 1.0"),
        Source("anny (NAVER): bodies of all ages and shapes", "code Apache-2.0, assets CC0"),
    ),
    "cmu_dance": (CMU,),
    "rendered": (Source("BlazePose (Google): detections of rendered images", "Apache-2.0"),),
    "mpii": (Source("MPII Human Pose: 2D annotations", "simplified BSD"),),
    "coco": (Source("MS COCO: 2D annotations", "CC BY 4.0", "COCO annotations: COCO Consortium."),),
    "human36m": (
        Source(
            "Human3.6M: 3D poses and cameras", "research only, not commercial",
            "C. Ionescu, D. Papava, V. Olaru, C. Sminchisescu: Human3.6M, TPAMI 2014.", False,
        ),
    ),
}  # fmt: skip
#: Rows of the table of accuracy: label, path of the value in a result file.
NUMBERS = {
    "real video, all landmarks, PA-MPJPE (mm)": ("all landmarks", "cameras", "mean", "pa_mpjpe"),
    "real video, limb joints only, PA-MPJPE (mm)": ("limb joints", "cameras", "mean", "pa_mpjpe"),
    "rendered, unseen motions, PA-MPJPE (mm)": (None, "rendered", "detected", "pa_mpjpe"),
    "HumanEva, PA-MPJPE (mm)": (None, "tests", "humaneva", "pa_mpjpe"),
    "Human3.6M, novel cameras 16:9, PA-MPJPE (mm)": (None, "tests", "landscape", "pa_mpjpe"),
    "Human3.6M, ground-truth 2D, MPJPE (mm)": (None, "tests", "gt_mirror", "mpjpe"),
    "Human3.6M, ground-truth 2D, PA-MPJPE (mm)": (None, "tests", "gt_mirror", "pa_mpjpe"),
    "Human3.6M, Stacked Hourglass, MPJPE (mm)": (None, "tests", "sh_mirror", "mpjpe"),
    "MPII valid, reprojection error (pixels)": (None, "tests", "mpii", "reprojection_error"),
    "MPII valid, implausible bones (%)": (None, "tests", "mpii", "implausible_bones"),
    "Human3.6M, errors within one standard deviation (%)": (
        None, "tests", "gt_mirror", "within_1_std",
    ),
    "Human3.6M, errors within two standard deviations (%)": (
        None, "tests", "gt_mirror", "within_2_std",
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", help="run folder or .onnx file")
    parser.add_argument("--name", required=True, help="name of the weights, such as open")
    parser.add_argument("--results", type=Path, nargs="*", default=[], help="result files (JSON)")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the card, a .md file")
    arguments = parser.parse_args()
    results = [json.loads(path.read_text()) for path in arguments.results]
    path = find_weights(arguments.weights)
    content, licence = metadata_of(path)
    text = card(arguments.name, path, content, licence, results)
    write_text(arguments.out, text + limitations(arguments.out))
    print(f"wrote {arguments.out}")


def limitations(path: Path) -> str:
    """Return the section of an existing card, or one to be written."""
    heading = "## Limitations\n"
    if path.is_file():
        _, found, rest = path.read_text(encoding="utf-8").partition(heading)
        if found:
            return found + rest
    return f"{heading}\n[Regressions that were found by looking at results.]\n"


def metadata_of(path: Path) -> tuple[dict[str, Any], str]:
    """Return settings and validation, and the licence, from the metadata of a graph.

    Raises:
        SystemExit: the graph was not written by a training on simulated detections.
    """
    from camerapose.infer.predictor import Predictor

    metadata = Predictor(path).metadata
    content = json.loads(metadata.get("card", "{}"))
    if "config" not in content or "data" not in content["config"]:
        raise SystemExit(f"{path} has no settings in its metadata; give a run of configs/open.toml")
    return content, metadata.get("license", "")


def used(config: dict[str, Any]) -> list[Source]:
    """Return the data sets that a run has used, each once."""
    data = config["data"]
    keys = [key for key in SOURCES if data.get(key)]
    if not config.get("unlabelled_batch") and not _generates(config):
        keys = [key for key in keys if key not in ("mpii", "coco")]
    return list(dict.fromkeys(source for key in keys for source in SOURCES[key]))


def _generates(config: dict[str, Any]) -> bool:
    """Return whether the pose generator was used, whose discriminator sees 2D-only poses."""
    return config.get("adversarial", {}).get("generated_share", 0) > 0


def card(
    name: str, path: Path, content: dict[str, Any], stated: str, results: list[dict[str, Any]]
) -> str:
    """Return the model card as Markdown, without its last section, the limitations.

    Args:
        name: of the weights.
        path: their file.
        content: `config` and `validation` of the run.
        stated: licence in the metadata.
        results: contents of result files.
    """
    config, sources = content["config"], used(content["config"])
    is_commercial = all(source.is_commercial for source in sources)
    licence = "**non-commercial research only**"
    if is_commercial:
        licence = f"{stated}; may be used in products, with the acknowledgements below"
    held_out = ", ".join(config["data"].get("held_out") or ()) or "none (final training)"
    network = config["network"]
    earlier = ", from weights of an earlier run" if config.get("init") else ""
    lines = [
        f"# Model card: `{name}`",
        "",
        "| property | value |",
        "|---|---|",
        f"| file | `{path.name}`, {path.stat().st_size / 1e6:.1f} MB |",
        *_temporal(path),
        f"| architecture | `BodyModel`, width {network['width']}, {network['blocks']} blocks |",
        "| input | 2D joints of any format with confidences; optionally focal length, principal "
        "point, body height, limb lengths |",
        "| output | 46 joints (`body_46`) in metres, standard deviations, camera |",
        f"| licence | {licence} |",
        f"| training | {config['iterations']:,} batches of {config['batch']:,}{earlier}, seed "
        f"{config['seed']} |",
        f"| held out while choosing settings | {held_out} |",
        "",
        "## Data",
        "",
        "| data | licence |",
        "|---|---|",
        *(f"| {source.use} | {source.licence} |" for source in sources),
        "",
        *_h36m_note(config),
        "",
        "## Acknowledgements",
        "",
        *(f"- {text}" for text in dict.fromkeys(s.acknowledgement for s in sources) if text),
        "",
        "## Accuracy",
        "",
        "No setting was selected on these test sets.",
        "",
        "| test | value |",
        "|---|---|",
        *(f"| {label} | {value} |" for label, value in numbers(results).items()),
        *_validation(content.get("validation", {}), bool(config["data"].get("held_out"))),
        "",
    ]
    return "\n".join(lines) + "\n"


def _temporal(path: Path) -> list[str]:
    """Return a row about the temporal model of the weights, if they have one."""
    file = temporal_file(path)
    if not file.is_file():
        return []
    size = file.stat().st_size / 1e6
    return [
        f"| temporal model | `{file.name}`, {size:.1f} MB: corrects the poses of videos from 27 "
        "frames; trained on the motion capture below (`configs/temporal.toml`) |"
    ]


def numbers(results: list[dict[str, Any]]) -> dict[str, str]:
    """Return the values of `NUMBERS`; "not measured" where no file has them."""
    found = {}
    for label, (given, *keys) in NUMBERS.items():
        values = []
        for result in results:
            value: Any = result if given is None or result.get("given") == given else {}
            for key in keys:
                value = value.get(key, {})
            if isinstance(value, int | float):
                values.append(value)
        if len(values) > 1:
            raise SystemExit(f"{len(values)} result files have {label}; give one of them")
        found[label] = f"{values[0]:.1f}" if values else "not measured"
    return found


def _validation(values: dict[str, float], held_out: bool) -> list[str]:
    """Return rows of the calibration, on held-out subjects if the run has any."""
    which = "held-out subjects" if held_out else "simulated detections of training postures"
    labels = {
        "within_1": f"{which}, errors within one standard deviation (%)",
        "within_2": f"{which}, errors within two standard deviations (%)",
    }
    return [f"| {text} | {values[key]:.1f} |" for key, text in labels.items() if key in values]


def _h36m_note(config: dict[str, Any]) -> list[str]:
    if config["data"].get("human36m"):
        return ["Human3.6M was used for training."]
    prior = (
        " The ranges of plausible bone lengths, a loss of 2D-only poses, are partly those of its "
        "subjects' skeletons."
        if config.get("unlabelled_batch")
        else ""
    )
    return [
        "Human3.6M, HumanEva and other non-commercial data were not used for training. Human3.6M's "
        "training subjects decided between two trainings with differently straightened legs, and "
        "for a temporal model. The joints `*_h36m` of the training bodies are placed by five "
        "constants (positions of hips, shoulders, spine and thorax relative to joint centres) that "
        f"were measured on Human3.6M's poses; no poses of it were used.{prior}",
    ]


if __name__ == "__main__":
    main()
