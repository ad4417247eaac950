"""The functions and classes of the package's top level."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from helpers.fakes import SIZE
from PIL import Image

import camerapose


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestPredict:
    def test_array_equals_file(self, detector, graph, in_empty_folder):
        image = np.full((*SIZE[::-1], 3), 255, np.uint8)
        poses = camerapose.predict(image, weights=graph)
        assert len(poses) == 1 and list(poses.labels["image"]) == ["image"]
        assert list(in_empty_folder.iterdir()) == []
        Image.fromarray(image).save("a.png")
        same = camerapose.predict("a.png", weights=graph)
        np.testing.assert_array_equal(same.pose3d, poses.pose3d)
        assert [path.name for path in in_empty_folder.iterdir()] == ["a.png"]

    def test_files_of_an_array(self, detector, graph, in_empty_folder):
        image = np.full((*SIZE[::-1], 3), 255, np.uint8)
        lines = []
        camerapose.predict(image, "out", weights=graph, export=["bvh"], log=lines.append)
        written = {path.name for path in (in_empty_folder / "out").iterdir()}
        assert written == {"poses.npz", "poses.json", "poses.bvh", "image_poses.png"}
        assert lines[-1].startswith("wrote ")

    def test_is_silent(self, detector, graph, in_empty_folder, capfd):
        image = np.zeros((*SIZE[::-1], 3), np.uint8)
        assert len(camerapose.predict(image, weights=graph)) == 0
        assert capfd.readouterr() == ("", "")

    def test_is_a_function(self):
        assert inspect.isfunction(camerapose.predict)
        with pytest.raises(ModuleNotFoundError):
            __import__("camerapose.predict")


def test_names():
    for name in camerapose.__all__:
        assert getattr(camerapose, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'Pose'"):
        camerapose.Pose  # noqa: B018


def test_import_is_light():
    heavy = "torch", "onnxruntime", "av", "PIL", "matplotlib", "tyro"
    code = f"import sys, camerapose; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done


def test_inference_does_not_import_torch():
    code = (
        "import sys, camerapose; from camerapose import Predictor; "
        "import camerapose.infer.pipeline, camerapose.infer.batch, camerapose.view.plot; "
        "import camerapose.cli.main; from camerapose.core import plugins; "
        "[plugins.load('detectors', n) for n in plugins.available('detectors')]; "
        "plugins.load('datasets', 'keypoints'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
