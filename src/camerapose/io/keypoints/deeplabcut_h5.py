"""DeepLabCut: HDF5 as pandas writes it, without pandas."""

import pickle
from typing import Any

import numpy as np

from camerapose.io.hdf5 import Hdf5, open_hdf5
from camerapose.io.keypoints import deeplabcut
from camerapose.io.keypoints._content import Content
from camerapose.io.keypoints._people import People
from camerapose.io.keypoints._sources import Source
from camerapose.io.pickles import parse_pickle

DESCRIPTION = "DeepLabCut HDF5 (df_with_missing)"
SOURCES = (
    Source("DeepLabCut", "2.3, 3", "analyze_videos, *.h5", "as its CSV; needs the package h5py"),
)
#: Name of the data frame.
KEY = "df_with_missing"
#: Levels of the column names: scorer, individual, body part, coordinate.
MAX_LEVELS = 8
SIGNATURE = b"\x89HDF"


def matches(content: Content) -> bool:
    """Return whether this is HDF5 with the data frame of DeepLabCut."""
    if content.kind != "hdf5":
        return False
    with open(content.path, "rb") as file:
        return file.read(4) == SIGNATURE and KEY.encode() in file.read(1 << 16)


def read(content: Content) -> People:
    """Read all individuals of all frames.

    Raises:
        ValueError: h5py is not installed, or the data frame has another layout.
    """
    try:
        with open_hdf5(content.path) as file:
            group = file[KEY]
            columns, values = (_table if "table" in group else _fixed)(file, group)
    except (OSError, pickle.UnpicklingError) as error:
        raise ValueError(f"{content.path} cannot be read as {DESCRIPTION} ({error})") from error
    used = [tuple(column[-3:] if len(column) > 3 else ("", *column[-2:])) for column in columns]
    frame = np.arange(len(values))
    return deeplabcut.individuals(used, np.asarray(values, float), frame, str(content.path))


def _table(file: Hdf5, group: Any) -> tuple[list[tuple[str, ...]], Any]:
    """Return columns and values of the layout "table"; the columns are a pickle of strings."""
    axes = parse_pickle(bytes(group.attrs["non_index_axes"]))
    columns = [tuple(map(str, column)) for column in axes[0][1]]
    return columns, file.read(file[f"{KEY}/table"])["values_block_0"]


def _fixed(file: Hdf5, group: Any) -> tuple[list[tuple[str, ...]], Any]:
    """Return columns and values of the layout "fixed"."""
    levels = []
    for i in range(min(int(group.attrs["block0_items_nlevels"]), MAX_LEVELS)):
        names = [name.decode() for name in file.read(file[f"{KEY}/block0_items_level{i}"])]
        labels = file.read(file[f"{KEY}/block0_items_label{i}"])
        levels.append([names[label] for label in labels])
    return list(zip(*levels, strict=True)), file.read(file[f"{KEY}/block0_values"])
