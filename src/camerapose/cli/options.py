"""Option types, exit statuses and error output shared by the commands."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

# Optional values, shown without "None" in the help.
MaybePath = Annotated[Path | None, arg(metavar="PATH")]
MaybeName = Annotated[str | None, arg(metavar="NAME")]
MaybeInt = Annotated[int | None, arg(metavar="INT")]
MaybeFloat = Annotated[float | None, arg(metavar="FLOAT")]

#: Exit statuses: no person detected; data set differs from the published one; invalid input or
#: option; interrupted by Ctrl-C.
NO_PERSON, DIFFERENT, WRONG_INPUT, INTERRUPTED = 1, 1, 2, 130


def fail(message: str, status: int) -> int:
    """Print an error on stderr and return the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return status
