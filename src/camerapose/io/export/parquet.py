"""Parquet for data frames: the tidy table of CSV with types. Written by pyarrow."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from camerapose.io.export import Track, _table
from camerapose.io.files import AtomicFile

EXTENSION = ".parquet"
REQUIRES = "pyarrow"
#: Poses with several definitions of a joint are written as they are.
ALL_JOINTS = True


def write_people(path: Path, people: Mapping[int, Track]) -> None:
    """Write the columns of `_table.tidy`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise ValueError(
            'Parquet requires pyarrow: pip install "camerapose[parquet]", or export .csv instead'
        ) from None
    tables = map(pyarrow.table, _table.tidy(people))
    first = next(tables)
    with (
        AtomicFile(path) as temporary,
        parquet.ParquetWriter(temporary, first.schema) as writer,
    ):
        for table in chain([first], tables):
            writer.write_table(table)
