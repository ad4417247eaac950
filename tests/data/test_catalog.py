"""The list of data sets and the parsing of their options."""

import pytest

from camerapose.core import plugins
from camerapose.data import catalog


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", plugins.available("datasets"))
def test_every_data_set_is_listed_with_its_published_counts(name):
    adapter = plugins.load("datasets", name)
    (entry,) = [e for e in catalog.entries() if e.name == name]
    assert entry.summary and "\n" not in entry.summary
    assert entry.state in ("needs no files", f"not in {entry.root}", f"in {entry.root}")
    if hasattr(adapter, "expected"):
        for label, values in adapter.expected().items():
            assert isinstance(label, str)
            for value, count in values.items():
                assert isinstance(value, str) and (count is None or count > 0)


def test_parse_options():
    options = catalog.parse_options(
        "human36m", ["subjects=S9,S11", "frame_step=5", "detections=cpn"]
    )
    assert options == {"subjects": ("S9", "S11"), "frame_step": 5, "detections": "cpn"}
    assert catalog.parse_options("human36m", ["actions=Walking 1"]) == {"actions": ("Walking 1",)}
    assert catalog.parse_options("human36m", ['subjects=["S9"]']) == {"subjects": ("S9",)}
    assert catalog.parse_options("synthetic", ["pitch=[0, 10]"]) == {"pitch": (0, 10)}
    with pytest.raises(ValueError, match="no option 'subject=S9'.*did you mean 'subjects'"):
        catalog.parse_options("human36m", ["subject=S9"])
    with pytest.raises(ValueError, match="no option 'frame_step'; give KEY=VALUE"):
        catalog.parse_options("human36m", ["frame_step"])
