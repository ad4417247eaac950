"""Validation of prediction options, before anything is loaded or written."""

import pytest
from helpers.fakes import SIZE
from PIL import Image

import camerapose
from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detector": "blaze"}, "unknown detector 'blaze'.*did you mean 'blazepose'"),
        ({"export": ["bvh", "fbx"]}, "unknown export 'fbx'"),
        ({"export": "bvh"}, "a list of format names"),
        ({"skeleton": "coco_18"}, "unknown skeleton 'coco_18'"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"height": 175.0}, "height is 175"),
        ({"height": -1.0}, "height is -1"),
        ({"focal": 0.0}, "focal is 0"),
        ({"smooth": -1.0}, "smooth is -1"),
        ({"fill_gaps": float("nan")}, "fill_gaps is nan"),
        ({"max_people": 0}, "max_people is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"image_size": (640, 0)}, "image_size is .640, 0."),
        ({"start": 5, "end": 5}, "no frames in start 5, end 5"),
        ({"stride": 0}, "stride 0"),
        ({"start": -1}, "start -1"),
        ({"people": "tallest"}, "largest, longest, left-to-right or a number"),
        ({"people": 0}, "a number from 1 to"),
        ({"min_frames": 0}, "min_frames is 0"),
    ],
)
def test_invalid_values(options, message):
    with pytest.raises(ValueError, match=message):
        PredictOptions(**options)


def test_missing_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights at"):
        PredictOptions(weights=tmp_path / "absent.onnx")


def test_zero_height_keeps_the_estimate():
    assert PredictOptions(height=0.0).height == 0


def test_unknown_option(tmp_path):
    with pytest.raises(TypeError, match="unknown option colour; known are weights"):
        camerapose.predict(tmp_path / "a.png", colour="red")


class TestRequest:
    """Options that do not fit the source or the output folder."""

    @pytest.fixture
    def image(self, tmp_path):
        Image.new("RGB", SIZE, "white").save(tmp_path / "a.png")
        return tmp_path / "a.png"

    @pytest.fixture(autouse=True)
    def no_weights(self, monkeypatch):
        monkeypatch.setattr("camerapose.infer.pipeline.Predictor", None)

    def test_overlay_of_an_image(self, image, tmp_path):
        with pytest.raises(ValueError, match="overlay requires video input, got a.png"):
            predict(image, tmp_path / "out", PredictOptions(overlay=True))
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("options", [{"export": ["csv"]}, {"report": True}])
    def test_files_without_folder(self, image, options):
        with pytest.raises(ValueError, match="requires an output folder"):
            predict(image, options=PredictOptions(**options))

    def test_folder_is_a_file(self, image, tmp_path):
        (tmp_path / "file").touch()
        for out in (tmp_path / "file", tmp_path / "file" / "inside"):
            with pytest.raises(OSError, match="output folder: .*file is a file"):
                predict(image, out)

    def test_damaged_source(self, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"no video" * 50)
        with pytest.raises(ValueError, match="a.mp4"):
            predict(tmp_path / "a.mp4", tmp_path / "out")
        assert not (tmp_path / "out").exists()
