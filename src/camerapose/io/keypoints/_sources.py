"""Description of the programs whose files a format reader reads, for the documentation."""

from typing import NamedTuple


class Source(NamedTuple):
    """A program, the version that was checked, and the command or setting that writes the file.

    Attributes:
        program: name of the program.
        version: version or year of its format.
        command: what writes the file.
        reading: how the file is read: joints, units, identities, frame numbers.
    """

    program: str
    version: str
    command: str
    reading: str
