"""Import Gradio with private folders, one for each upload, and short error messages."""

import atexit
import os
import sys
import traceback
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from camerapose.io.locks import private_folder

#: Removes Gradio's default folder.
_DEFAULT_FOLDER = ExitStack()


def import_gradio() -> Any:
    """Import Gradio with downloads disabled, a private default folder and separate uploads.

    Raises:
        ValueError: it is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "True")
    # Gradio keeps the folder that it reads when it is imported; its default is shared by all users.
    private = "GRADIO_TEMP_DIR" not in os.environ and "gradio" not in sys.modules
    if private:
        folder = _DEFAULT_FOLDER.enter_context(private_folder("gradio"))
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        atexit.register(_DEFAULT_FOLDER.close)
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ValueError(
            f'the page requires {error.name}; run pip install "camerapose[serve]"'
        ) from None
    finally:
        if private:
            del os.environ["GRADIO_TEMP_DIR"]
    _separate_uploads()
    _shorten_errors()
    return gradio


def _shorten_errors() -> None:
    """Let Gradio print errors of requests as one line; tracebacks with CAMERAPOSE_DEBUG.

    It prints a traceback whenever a program sends a value of another type or range.
    """
    from gradio import queueing, route_utils, routes

    if not os.environ.get("CAMERAPOSE_DEBUG"):
        short = SimpleNamespace(print_exc=_print_error, format_exc=traceback.format_exc)
        for module in (queueing, routes, route_utils):
            setattr(module, "traceback", short)  # noqa: B010


def _print_error() -> None:
    error = sys.exc_info()[1]
    text = " ".join(str(error).split())[:200]
    print(f"refused a request: {type(error).__name__}: {text}", file=sys.stderr)


def remove_default_folder() -> None:
    """Remove Gradio's default folder now instead of when the process ends."""
    _DEFAULT_FOLDER.close()


def _separate_uploads() -> None:
    """Let Gradio store each upload in a folder of its own, whose name cannot be guessed.

    Gradio names the folder after the content: the same file of two visitors would exist once, and
    be deleted with the session of the first one who leaves.
    """
    from gradio import route_utils

    original = route_utils.GradioUploadFile
    if getattr(original, "separate", False):
        return

    class SeparateUpload(original):  # type: ignore[misc, valid-type]
        separate = True

        def __init__(self, *arguments: Any, **options: Any):
            super().__init__(*arguments, **options)
            self.sha.update(uuid.uuid4().bytes)

    route_utils.GradioUploadFile = SeparateUpload


@contextmanager
def upload_folder() -> Iterator[Path]:
    """Let Gradio store uploads in a private folder during the context."""
    previous = os.environ.get("GRADIO_TEMP_DIR")
    with private_folder("page") as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        try:
            yield folder
        finally:
            if previous is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = previous
