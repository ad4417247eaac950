"""Option types, exit statuses and error output shared by the commands."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

# `Out` has the short form -o; optional values are shown without "None" in the help.
Out = Annotated[Path, arg(metavar="PATH", aliases=["-o"])]
Weights = Annotated[str, arg(metavar="NAME|PATH")]
MaybePath = Annotated[Path | None, arg(metavar="PATH")]
MaybeName = Annotated[str | None, arg(metavar="NAME")]
MaybeInt = Annotated[int | None, arg(metavar="INT")]
MaybeFloat = Annotated[float | None, arg(metavar="FLOAT")]

#: Exit statuses: no person detected; problems in a data set; invalid input or option; interrupted
#: by Ctrl-C; the program that reads the output has ended (as by SIGPIPE).
NO_PERSON, DIFFERENT, WRONG_INPUT, INTERRUPTED, CLOSED = 1, 1, 2, 130, 141


#: Formats of figures.
FIGURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")


def fail(message: str, status: int) -> int:
    """Print an error on stderr and return the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return status


def check_suffix(path: Path, accepted: tuple[str, ...]) -> None:
    """Raise ValueError if the suffix of an output file is not among the accepted ones."""
    if path.suffix.lower() not in accepted:
        raise ValueError(f"{path} has the suffix {path.suffix!r}; give {' or '.join(accepted)}")
