"""Write the tables of results in README.md from the files in benchmarks/results.

    python benchmarks/readme.py

The files are those of accuracy.py (--shipped) and of peers.py (peers-mediapipe.json).
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "dev"))
import mkdocs_hooks
from report import put_table

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
#: Columns of `mkdocs_hooks.COLUMNS` that are left out.
LEFT_OUT = ("novel cameras, 9:16",)


def main() -> None:
    for name, make in TABLES.items():
        put_table(make(), README, name)
    print(f"wrote {README}")


def accuracy() -> str:
    """Return errors of the shipped weights and of the papers."""
    return mkdocs_hooks.results(
        [column for column in mkdocs_hooks.COLUMNS if column[0] not in LEFT_OUT]
    )


def peers() -> str:
    """Return PA-MPJPE on the real video, with each system's own 2D and with MediaPipe's."""
    content = json.loads((HERE / "results" / "peers-mediapipe.json").read_text(encoding="utf-8"))
    errors = {name: row["mean"] for name, row in content["pa_mpjpe"].items()}
    theirs = errors["MediaPipe world landmarks, own 2D"]
    lines = [
        "| system | its own 2D | MediaPipe's 2D |",
        "|---|---|---|",
        f"| MediaPipe {content['mediapipe']}, world landmarks | {theirs:.1f} | |",
    ]
    for label, _ in mkdocs_hooks.ROWS:
        own, other = (
            errors[f"{label.strip('`')}, {kind}"] for kind in ("own 2D", "MediaPipe's 2D")
        )
        lines.append(f"| {label} | {own:.1f} | {other:.1f} |")
    return "\n".join(lines)


TABLES = {"accuracy": accuracy, "peers": peers}

if __name__ == "__main__":
    main()
