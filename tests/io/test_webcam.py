"""Reading a webcam."""

import numpy as np
import pytest
from PIL import Image

from camerapose.io import webcam
from camerapose.io.source import Source


class TestWebcam:
    """FFmpeg's test pattern replaces a webcam."""

    @pytest.fixture
    def test_pattern(self, monkeypatch):
        address = "testsrc2=size=96x64:rate=20", "lavfi", {}
        monkeypatch.setattr(webcam, "device", lambda name: address)

    def test_times_are_those_of_the_webcam(self, test_pattern):
        frames = list(Source.open("0").frames(end=5, stride=2))
        assert [f.index for f in frames] == [0, 2, 4]
        np.testing.assert_allclose([f.time for f in frames], [0, 0.1, 0.2])
        assert frames[0].image.shape == (64, 96, 3) and frames[1].name == "webcam_000002"

    def test_is_given_by_number_or_device(self, tmp_path, monkeypatch):
        assert {Source.open(name).kind for name in ("0", 0, "/dev/video2")} == {"webcam"}
        assert webcam.device("1")[0] in ("/dev/video1", "1")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "0").mkdir()
        Image.new("RGB", (8, 6)).save(tmp_path / "0" / "a.png")
        assert Source.open("0").kind == "images"

    def test_absent_webcam(self):
        with pytest.raises(ValueError, match="webcam 97 cannot be opened"):
            next(Source.open("97").frames())
