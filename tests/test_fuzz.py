"""Damaged and unexpected files of all data sets: each is read correctly, or refused by name.

Files of a small data set in each layout are truncated, have bits flipped, blocks zeroed, doubled or
lost, or hold values of other types and shapes. The result is either valid poses, or a ValueError
(or FileNotFoundError) that names the file. The seeds are fixed; see `mutations.seeds` for others.
"""

import shutil
import warnings

import numpy as np
import pytest
from helpers.layouts import LAYOUTS
from helpers.mutations import limits, mutate_bytes, mutate_tree, seeds

from camerapose.core import plugins

#: Mutated files of each layout.
N_MUTATIONS = 64


def _check(poses):
    n = len(poses)
    assert n > 0
    for name, column in poses.columns().items():
        assert len(column) == n, name
        if column.dtype.kind == "f":
            assert np.isfinite(column).all(), name
    assert ((poses.confidence >= 0) & (poses.confidence <= 1)).all()


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, tmp_path_factory):
    """Name and files of a layout, its loader, and a folder with all files intact."""
    files, load = LAYOUTS[request.param]
    root = tmp_path_factory.mktemp("intact")
    for name, (content, write) in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root / name, content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _check(load(root))
    return request.param, files, load, root


def test_mutated_files_are_is_refused_by_name(layout, tmp_path):
    name, files, load, intact = layout
    refused = 0
    for seed in seeds(N_MUTATIONS):
        rng = np.random.default_rng([seed, sum(map(ord, name))])
        root = tmp_path / "data"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(intact, root)
        path = root / list(files)[rng.integers(len(files))]
        content, write = files[path.relative_to(root).as_posix()]
        if seed % 2 or isinstance(content, bytes):
            path.write_bytes(mutate_bytes(rng, path.read_bytes()))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    write(path, mutate_tree(rng, content))
                except Exception:  # no file of this kind can contain such a value
                    shutil.copyfile(intact / path.relative_to(root), path)
                    path.write_bytes(mutate_bytes(rng, path.read_bytes()))
        refused += _is_refused(f"{name}, seed {seed}", load, root)
    assert refused > len(seeds(N_MUTATIONS)) / 6


def _is_refused(what, load, root):
    names = {p.name if p.is_file() else str(p) for p in root.rglob("*")}
    with limits(what):
        try:
            _check(load(root))
            return False
        except (ValueError, FileNotFoundError) as error:
            message = str(error)
            assert any(file in message for file in names), f"{what}: no file in {message!r}"
            return True
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}") from error


def test_all_data_sets_are_covered():
    assert N_MUTATIONS * len(LAYOUTS) >= 1000
    formats_of_keypoints = {"alphapose", "openpose", "own"}
    covered = {name.partition(" ")[0] for name in LAYOUTS} - formats_of_keypoints | {"keypoints"}
    missing = set(plugins.available("datasets")) - covered - {"synthetic"}  # which has no files
    assert not missing, f"{missing} define no example(folder), see docs/extending.md"
