"""Fixtures of the web page tests."""

import pytest
from helpers.fakes import SIZE
from PIL import Image


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "upload" / "man.png"
    path.parent.mkdir()
    Image.new("RGB", SIZE, "white").save(path)
    return path
