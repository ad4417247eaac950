"""Random mutations of bytes, arrays and trees, for tests with damaged files."""

import copy
import os
import resource
import time
import warnings
from contextlib import contextmanager

import numpy as np

#: Processor seconds after which reading a small file counts as hanging; other work does not count.
HANGING = 30
#: Bytes that reading a small file must not use.
MAX_MEMORY = 2e9

JUNK = (
    None, True, -1, 0, 1e308, -1e-308, float("nan"), float("inf"), 10**30, "", "x", "\ud800",
    [], [[]], [None], ["x"], {}, {"x": 1}, [[1, 2], [3]], [1] * 5,
)  # fmt: skip


def mutate_bytes(rng, data):
    """Return bytes that are truncated, or have bits flipped or blocks zeroed, doubled or lost."""
    data, n = bytearray(data), len(data)
    start, length = int(rng.integers(n)), int(rng.integers(1, 1 + max(1, n // 4)))
    match rng.integers(7):
        case 0:
            return bytes(data[:start])
        case 1 | 2 | 3:
            for i in rng.integers(n, size=rng.choice([1, 2, 8, 64])):
                data[i] ^= 1 << rng.integers(8)
        case 4:
            data[start : start + length] = bytes(len(data[start : start + length]))
        case 5:
            data[start:start] = data[start : start + length]
        case 6:
            del data[start : start + length]
    return bytes(data)


def mutate_array(rng, value):
    match rng.integers(9):
        case 0:
            return value[: len(value) // 2]
        case 1:
            return value[..., :-1]
        case 2:
            return value.T
        case 3:
            return value.ravel()
        case 4:
            return value[None]
        case 5:
            return np.zeros((0, *value.shape[1:]), value.dtype)
        case 6:
            return value.astype(complex)
        case 7:
            changed = value.astype(float)
            changed.flat[rng.integers(changed.size)] = rng.choice([np.nan, np.inf, 1e300, -1e9, 0])
            return changed
    return value.astype(float) * rng.choice([0, -1, 1e9, 1e-9, np.nan])


def mutate_tree(rng, tree):
    """Return a tree of dicts, lists and arrays with one value replaced, lost or doubled."""
    tree = copy.deepcopy(tree)
    nodes, last = [(None, None, tree)], None
    while nodes:  # descend randomly
        last = nodes[rng.integers(len(nodes))]
        node = last[2]
        if isinstance(node, dict):
            nodes = [(node, key, value) for key, value in node.items()]
        elif isinstance(node, list):
            nodes = [(node, i, value) for i, value in enumerate(node)]
        else:
            nodes = []
        if rng.random() < 0.15 and last[0] is not None:
            break
    parent, key, value = last
    if parent is None:
        return JUNK[rng.integers(len(JUNK))]
    if isinstance(value, np.ndarray) and value.ndim and value.size and rng.random() < 0.7:
        parent[key] = mutate_array(rng, value)
    elif rng.random() < 0.3:
        del parent[key]
    elif isinstance(parent, list) and rng.random() < 0.3:
        parent.insert(key, value)
    else:
        parent[key] = JUNK[rng.integers(len(JUNK))]
    return tree


def seeds(default):
    """Return the seeds of the mutations of one input.

    CAMERAPOSE_MUTATIONS in the environment sets their number, CAMERAPOSE_MUTATION_SEED the first.
    """
    first = int(os.environ.get("CAMERAPOSE_MUTATION_SEED", 0))
    return range(first, first + int(os.environ.get("CAMERAPOSE_MUTATIONS", default)))


@contextmanager
def limits(what):
    """Fail if the context takes too much time or memory."""
    began, before = time.process_time(), _peak()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    assert time.process_time() - began < HANGING, f"{what} hangs"
    after = _peak()
    assert after < MAX_MEMORY or after == before, f"{what} uses {after / 1e9:.1f} GB"


def _peak():
    """Return the largest memory of this process so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
