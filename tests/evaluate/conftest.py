"""Fixtures of the evaluation tests."""

import pytest
from helpers import miniatures


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Miniatures of the other data sets."""
    root = tmp_path_factory.mktemp("others")
    miniatures.mpi_test(root)
    miniatures.pw3d(root)
    return miniatures.ski(root)
