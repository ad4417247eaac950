"""Entry point of the command `camerapose`: dispatch, errors and exit statuses."""

import os
import sys
import warnings
from collections.abc import Sequence

import tyro

import camerapose
from camerapose.cli.adapt import adapt
from camerapose.cli.data import data
from camerapose.cli.demo import demo
from camerapose.cli.evaluate import evaluate
from camerapose.cli.export import export
from camerapose.cli.figure import figure
from camerapose.cli.options import INTERRUPTED, WRONG_INPUT, fail
from camerapose.cli.predict import predict
from camerapose.cli.serve import serve
from camerapose.cli.train import train

DESCRIPTION = """3D human pose and camera from one image.

    camerapose demo                                 a sample video, to see what it does
    camerapose predict photo.jpg --out result       an image, a folder, a video or keypoints
    camerapose data check human36m --root data/h36m
    camerapose figure gallery result --input photos --out gallery.png
    camerapose serve                                the same in a browser
    camerapose train configs/quick.toml --out runs/quick
    camerapose evaluate runs/quick --dataset human36m --root data/h36m
    camerapose adapt person_keypoints.json --out runs/mine
    camerapose export runs/quick --out my.onnx

Every subcommand has its own --help."""

#: Packages that only training requires.
TRAINING_PACKAGES = ("torch", "roma", "safetensors", "tensorboard", "onnx", "onnxscript", "scipy")

COMMANDS = {
    "predict": predict,
    "figure": figure,
    "serve": serve,
    "demo": demo,
    "data": data,
    "train": train,
    "evaluate": evaluate,
    "adapt": adapt,
    "export": export,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status.

    Errors that a user can mend are one line on stderr and status 2. $CAMERAPOSE_DEBUG shows where
    they came from.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv == ["--version"]:
        print(f"camerapose {camerapose.__version__}")
        return 0
    argv = argv or ["--help"]
    warnings.showwarning = _show_warning
    try:
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="camerapose", description=DESCRIPTION, args=argv
        )
    except KeyboardInterrupt:
        return fail("interrupted; what was done until now is kept", INTERRUPTED)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAINING_PACKAGES:
            raise
        return fail(
            f"this needs {error.name}, which using camerapose does not and learning does; "
            'install it with pip install "camerapose[train]"',
            WRONG_INPUT,
        )
    except (ValueError, OSError) as error:
        if os.environ.get("CAMERAPOSE_DEBUG"):
            raise
        return fail(str(error) or type(error).__name__, WRONG_INPUT)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """Warnings without the place in the code that they come from."""
    print(f"warning: {message}", file=sys.stderr)
