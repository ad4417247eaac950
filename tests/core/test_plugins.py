"""Plug-ins are files."""

import inspect

import pytest

from camerapose.core import plugins


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_plugins_are_the_files_of_a_folder(kind):
    names = plugins.available(kind)
    assert names == tuple(sorted(names)) and names
    assert not any(name.startswith("_") for name in names)


@pytest.mark.parametrize("name", plugins.available("datasets"))
def test_data_sets_follow_the_contract(name):
    module = plugins.load("datasets", name)
    assert module.__name__ == f"camerapose.data.datasets.{name}" and module.__doc__
    first, *options = inspect.signature(module.load).parameters.values()
    assert first.kind is first.POSITIONAL_OR_KEYWORD
    for option in options:
        assert option.kind is option.KEYWORD_ONLY and option.default is not option.empty


def test_a_new_file_is_a_new_plugin(tmp_path, monkeypatch):
    import camerapose.data.datasets

    (tmp_path / "my_data.py").write_text("def load(root): return root")
    (tmp_path / "_helper.py").touch()
    monkeypatch.setattr(
        camerapose.data.datasets, "__path__", [*camerapose.data.datasets.__path__, str(tmp_path)]
    )
    assert "my_data" in plugins.available("datasets")
    assert "_helper" not in plugins.available("datasets")
    assert plugins.load("datasets", "my_data").load("here") == "here"


def test_errors_list_the_known_names():
    with pytest.raises(ValueError, match=r"unknown dataset 'human3m'; available: .*human36m.*mpii"):
        plugins.load("datasets", "human3m")
    with pytest.raises(ValueError, match="did you mean 'human36m'"):
        plugins.load("datasets", "human3m")
    with pytest.raises(ValueError, match="unknown lifter '../camera'"):
        plugins.load("lifters", "../camera")
