"""Errors of data set files that name the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def names_file(path: Path) -> Iterator[None]:
    """Raise a ValueError that names the file for any error while its content is read.

    A file that is missing or may not be read stays an OSError.

    Raises:
        ValueError: in place of what the block raised.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} has unexpected content ({type(error).__name__}: {reason})"
        ) from error
