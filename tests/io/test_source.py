"""Recognising inputs, and the frames of images."""

import numpy as np
import pytest
from helpers.videos import HEIGHT, WIDTH, asymmetric_image
from PIL import Image

from camerapose.io.frames import IncompleteInput
from camerapose.io.source import Source


class TestKind:
    def test_kind_follows_from_the_suffix(self, tmp_path):
        for name, expected in [("a.JPG", "image"), ("a.mp4", "video"), ("a.npz", "keypoints")]:
            (tmp_path / name).touch()
            assert Source.open(tmp_path / name).kind == expected

    def test_kind_of_a_folder_follows_from_its_files(self, tmp_path):
        (tmp_path / "a.json").touch()
        assert Source.open(tmp_path).kind == "keypoints"
        (tmp_path / "a.png").touch()
        assert Source.open(tmp_path).kind == "images"

    def test_folder_without_images_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="neither images"):
            Source.open(tmp_path)

    def test_folder_of_videos_names_the_pattern_to_use(self, tmp_path):
        (tmp_path / "a.mp4").touch()
        with pytest.raises(ValueError, match=r"1 videos; .*\*\.mp4' with --engine"):
            Source.open(tmp_path)

    def test_home_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
        assert Source.open("~/a.png").path == tmp_path / "a.png"
        assert Source.open("~/*.png").kind == "images"

    def test_address_is_not_downloaded(self):
        with pytest.raises(FileNotFoundError, match="download it first"):
            Source.open("https://example.org/walk.mp4")

    def test_absent_and_unknown(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no file or folder"):
            Source.open(tmp_path / "a.png")
        (tmp_path / "a.doc").touch()
        with pytest.raises(ValueError, match="neither an image"):
            Source.open(tmp_path / "a.doc")


class TestArrays:
    def test_rgb_image(self):
        source = Source.open(asymmetric_image())
        assert source.kind == "array" and source.info() == (WIDTH, HEIGHT, None, 1)
        (frame,) = source.frames()
        np.testing.assert_array_equal(frame.image, asymmetric_image())
        np.testing.assert_array_equal(source.read(frame.name), frame.image)
        assert source.focal_length(frame.name) is None and not source.is_video

    def test_pillow_image(self):
        (frame,) = Source.open(Image.fromarray(asymmetric_image())).frames()
        np.testing.assert_array_equal(frame.image, asymmetric_image())

    def test_source_is_returned_as_it_is(self):
        source = Source.open(asymmetric_image())
        assert Source.open(source) is source

    def test_other_types_are_refused(self):
        with pytest.raises(ValueError, match="type dict"):
            Source.open({})


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        for number in (10, 9, 1, 2):
            Image.new("RGB", (8, 6), (number, 0, 0)).save(tmp_path / f"im{number}.png")
        (tmp_path / "notes.txt").touch()
        return tmp_path

    def test_images_are_in_natural_order(self, folder):
        frames = list(Source.open(folder).frames())
        assert [f.name for f in frames] == ["im1.png", "im2.png", "im9.png", "im10.png"]
        assert [f.image[0, 0, 0] for f in frames] == [1, 2, 9, 10]
        assert Source.open(folder).info() == (8, 6, None, 4)

    def test_start_end_stride(self, folder):
        assert [f.index for f in Source.open(folder).frames(start=1, stride=2)] == [1, 3]
        with pytest.raises(ValueError, match="start 4 is beyond"):
            list(Source.open(folder).frames(start=4))

    def test_broken_image_is_reported_after_the_others(self, folder):
        (folder / "im2.png").write_bytes(b"broken")
        frames = []
        with pytest.raises(IncompleteInput, match=r"1 of 4 images .*im2\.png"):
            collect(Source.open(folder).frames(), frames)
        assert [f.name for f in frames] == ["im1.png", "im9.png", "im10.png"]


class TestSeveralImages:
    @pytest.fixture
    def folders(self, tmp_path):
        for place in ("a/im2.png", "a/im10.png", "b/im2.png", "b/notes.txt"):
            (tmp_path / place).parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 6)).save(tmp_path / place, format="png")
        (tmp_path / "b" / "notes.txt").write_text("notes")
        return tmp_path

    def test_pattern(self, folders):
        pattern = str(folders / "a" / "*.png")
        assert Source.open(pattern).kind == "images"
        assert [f.name for f in Source.open(pattern).frames()] == ["im2.png", "im10.png"]
        assert Source.open(pattern).info() == (8, 6, None, 2)
        assert Source.open(pattern).folder == folders / "a"

    def test_images_of_several_folders_keep_their_paths(self, folders):
        names = [f.name for f in Source.open(str(folders / "*" / "im2.png")).frames()]
        assert names == ["a/im2.png", "b/im2.png"]
        given = [folders / "b" / "im2.png", folders / "a" / "im10.png"]
        assert [f.name for f in Source.open(given).frames()] == ["b/im2.png", "a/im10.png"]
        assert Source.open(given).title == "2 images"

    def test_name_with_brackets(self, tmp_path):
        Image.new("RGB", (8, 6)).save(tmp_path / "me[1].png")
        assert Source.open(str(tmp_path / "me[1].png")).kind == "image"

    def test_other_files_are_refused(self, folders):
        with pytest.raises(FileNotFoundError, match="no file matches"):
            Source.open(str(folders / "*.webp"))
        with pytest.raises(ValueError, match="notes.txt; pass it alone"):
            Source.open(str(folders / "b" / "*"))


def collect(frames, into):
    """Keep the frames that precede an error."""
    for frame in frames:
        into.append(frame)
