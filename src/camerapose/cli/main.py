"""Entry point of `camerapose`: choose the command, report errors, return the exit status."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import camerapose
from camerapose.cli import data
from camerapose.cli.adapt import adapt
from camerapose.cli.demo import demo
from camerapose.cli.evaluate import evaluate
from camerapose.cli.export import export
from camerapose.cli.figure import figure
from camerapose.cli.options import CLOSED, INTERRUPTED, WRONG_INPUT, fail
from camerapose.cli.parsing import parse, suggestion
from camerapose.cli.predict import predict
from camerapose.cli.serve import serve
from camerapose.cli.train import train
from camerapose.cli.weights import weights
from camerapose.io.assets import cache_dir

#: Packages that only training and evaluation require.
TRAINING_PACKAGES = ("torch", "roma", "safetensors", "tensorboard", "onnx", "onnxscript", "scipy")


class Group(NamedTuple):
    """Commands with a common prefix, and the texts of their overview."""

    summary: str
    commands: dict[str, "Callable[..., int] | Group"]
    notes: str


COMMANDS = Group(
    "Estimate 3D human poses and cameras from images, video or 2D keypoints.",
    {
        "predict": predict,
        "demo": demo,
        "figure": figure,
        "serve": serve,
        "data": Group(
            "List, prepare, check and draw data sets.",
            {
                "list": data.list_datasets,
                "prepare": data.prepare,
                "check": data.check,
                "show": data.show,
            },
            "Example: camerapose data check human36m --root data/h36m",
        ),
        "train": train,
        "evaluate": evaluate,
        "adapt": adapt,
        "export": export,
        "weights": weights,
    },
    """Example: camerapose predict photo.jpg -o result

Exit status: 0 success; 1 no person detected (predict) or problems in the data (data check);
2 invalid input, option or file; 130 interrupted. Set CAMERAPOSE_DEBUG=1 for a traceback.""",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    An error that the user can correct is one line on stderr and status 2; with CAMERAPOSE_DEBUG set
    in the environment it is raised instead.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    warnings.showwarning = _show_warning
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except SystemExit as end:  # --help of a command
        return int(end.code or 0)
    except BrokenPipeError:  # as in `camerapose --licences | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return CLOSED
    except KeyboardInterrupt:
        return fail("interrupted; completed results are kept", INTERRUPTED)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAINING_PACKAGES:
            raise
        return fail(
            f"{error.name} is not installed; training and evaluation require it: "
            'pip install "camerapose[train]"',
            WRONG_INPUT,
        )
    except (ValueError, OSError) as error:
        if os.environ.get("CAMERAPOSE_DEBUG"):
            raise
        return fail(_message(error), WRONG_INPUT)
    except Exception as error:
        if os.environ.get("CAMERAPOSE_DEBUG"):
            raise
        return fail(_unexpected(error), WRONG_INPUT)


def _run(arguments: list[str]) -> int:
    name, chosen = "camerapose", COMMANDS
    while isinstance(chosen, Group):
        first = arguments.pop(0) if arguments else "--help"
        if first in ("--help", "-h"):
            print(_overview(name, chosen))
            return 0
        if first == "--version" and chosen is COMMANDS:
            print(f"camerapose {camerapose.__version__}")
            return 0
        if first == "--licences" and chosen is COMMANDS:
            from camerapose.cli.licences import overview

            print(overview())
            return 0
        if first not in chosen.commands:
            kind = "option" if first.startswith("-") else "command"
            raise ValueError(
                f"unknown {kind} {first!r}{suggestion(first, chosen.commands)}; see {name} --help"
            )
        name, chosen = f"{name} {first}", chosen.commands[first]
    return parse(chosen, name, arguments)()


def _overview(name: str, group: Group) -> str:
    """Return the help of a group: one line per command."""
    lines = [f"usage: {name} COMMAND [OPTIONS]", "", group.summary, ""]
    for command, content in group.commands.items():
        is_group = isinstance(content, Group)
        text = content.summary if is_group else (content.__doc__ or "").partition("\n")[0]
        lines.append(f"  {command:10}{text}")
    lines += ["", f"'{name} COMMAND --help' describes the options of a command."]
    if group is COMMANDS:
        lines.append(
            f"'{name} --version' and '{name} --licences' print the version and all licences."
        )
    return "\n".join([*lines, "", group.notes])


def _message(error: Exception) -> str:
    """Return the text of an error; operating system errors as "reason: file"."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.strerror.lower()}: {error.filename}"
        if isinstance(error, PermissionError) and cache_dir() in Path(str(error.filename)).parents:
            text += "; set CAMERAPOSE_CACHE to a folder in which files can be created"
        return text
    return str(error) or type(error).__name__


def _unexpected(error: Exception) -> str:
    """Return one line for an error that no check has foreseen."""
    if isinstance(error, MemoryError):
        return "not enough memory; use a smaller input, or fewer people or frames"
    reason = " ".join(str(error).split())[:300]
    return (
        f"unexpected {type(error).__name__}: {reason or 'no message'}; please report it with the "
        "output of CAMERAPOSE_DEBUG=1"
    )


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """Print a warning without its location in the code."""
    print(f"warning: {message}", file=sys.stderr)
