"""Reading image files and arrays."""

import numpy as np
import pytest
from helpers.videos import HEIGHT, WIDTH, asymmetric_image
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from camerapose.io.images import array_to_rgb, focal_length, read_image
from camerapose.io.source import Source


class TestFiles:
    def test_png_is_read_unchanged(self, tmp_path):
        Image.fromarray(asymmetric_image()).save(tmp_path / "a.png")
        (frame,) = Source.open(tmp_path / "a.png").frames()
        np.testing.assert_array_equal(frame.image, asymmetric_image())
        assert (frame.index, frame.time, frame.name) == (0, 0.0, "a.png")
        assert Source.open(tmp_path / "a.png").info() == (WIDTH, HEIGHT, None, 1)

    def test_exif_orientation_is_applied(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6  # to be rotated clockwise by 90 degrees
        rotated = Image.fromarray(np.ascontiguousarray(np.rot90(asymmetric_image())))
        rotated.save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), asymmetric_image())

    @pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "I;16", "I", "F", "CMYK"])
    def test_every_mode_becomes_rgb(self, tmp_path, mode):
        grey = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
        if mode in ("I;16", "I"):
            image = Image.fromarray(grey.astype(np.uint16) * 257)
            image = image if mode == "I;16" else image.convert("I")
        elif mode == "F":
            image = Image.fromarray(grey.astype(np.float32) / 255)
        else:
            image = Image.fromarray(grey).convert(mode)
        path = tmp_path / f"a.{'tif' if mode in 'F CMYK I' else 'png'}"
        image.save(path)
        read = read_image(path)
        assert read.shape == (HEIGHT, WIDTH, 3) and read.dtype == np.uint8
        if mode != "1":
            assert abs(read.astype(int) - grey[..., None]).max() <= 8

    def test_transparent_pixels_are_white(self, tmp_path):
        Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "a.png")
        assert (read_image(tmp_path / "a.png") == 255).all()

    @pytest.mark.parametrize("content", [b"", b"hello", None])
    def test_corrupt_is_refused(self, tmp_path, content):
        path = tmp_path / "a.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:3000] if content is None else content)
        with pytest.raises(ValueError, match="cannot be read as an image"):
            list(Source.open(path).frames())

    def test_keypoints_are_not_images(self, tmp_path):
        (tmp_path / "a.json").touch()
        with pytest.raises(ValueError, match="keypoints, not images"):
            Source.open(tmp_path / "a.json").frames()


class TestArrays:
    @settings(max_examples=50, deadline=None)
    @given(
        image=npst.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3))),
        form=st.sampled_from(["uint8", "float", "float255", "int", "uint16", "bool", "rgba"]),
    )
    def test_every_type_gives_the_same_image(self, image, form):
        image[0, 0] = 255  # the range of floats is recognised by the maximum
        if form == "float":
            array = image / 255
        elif form == "float255":
            array = image.astype(np.float32)
        elif form == "int":
            array = image.astype(np.int64)
        elif form == "uint16":
            array = image.astype(np.uint16) * 257
        elif form == "bool":
            array = image > 127
            image = array.astype(np.uint8) * 255
        elif form == "rgba":
            array = np.concatenate([image, np.full_like(image[..., :1], 255)], axis=2)
        else:
            array = image
        read = array_to_rgb(array)
        np.testing.assert_array_equal(read, image)
        assert read.dtype == np.uint8 and read.flags.c_contiguous

    def test_grey_and_opacity(self):
        grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
        for array in (grey, grey[..., None]):
            np.testing.assert_array_equal(array_to_rgb(array), np.stack([grey] * 3, axis=2))
        assert (array_to_rgb(np.zeros((2, 2, 4), np.uint8)) == 255).all()

    @pytest.mark.parametrize(
        "array, fragment",
        [
            (np.zeros((2, 3, 4, 3)), "shape 2 x 3 x 4 x 3"),
            (np.zeros((3, 4, 2)), "shape 3 x 4 x 2"),
            (np.zeros((0, 4, 3)), "shape 0 x 4 x 3"),
            (np.full((2, 2, 3), 300), "from 300 to 300"),
            (np.full((2, 2, 3), -0.5), "from -0.5"),
            (np.full((2, 2, 3), np.nan), "nan"),
            (np.full((2, 2, 3), "a"), "of type <U1"),
        ],
    )
    def test_other_arrays_are_refused(self, array, fragment):
        with pytest.raises(ValueError, match=fragment):
            array_to_rgb(array)


class TestFocalLength:
    def test_equivalent_focal_length(self, tmp_path):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 26
        Image.new("RGB", (400, 300)).save(tmp_path / "a.jpg", exif=exif)
        assert focal_length(tmp_path / "a.jpg") == pytest.approx(26 / 43.27 * 500)
        Image.new("RGB", (400, 300)).save(tmp_path / "b.jpg")
        assert focal_length(tmp_path / "b.jpg") is None
        assert focal_length(tmp_path / "absent.jpg") is None
