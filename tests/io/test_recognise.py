"""What a file is: by its suffix or by its content."""

import struct
import zipfile
import zlib
from fractions import Fraction

import numpy as np
import pytest
from helpers.videos import asymmetric_image, write_moving
from PIL import Image, features

from camerapose.core import joint_formats
from camerapose.core.limits import Limits, check_archive
from camerapose.core.poses import Poses
from camerapose.io import keypoints
from camerapose.io.source import Source

IMAGE = Image.fromarray(asymmetric_image())


def kind_of(path):
    source = Source.open(path)
    frames = list(source.frames(end=2))
    return source.kind, len(frames), frames[0].image.shape[1::-1]


@pytest.mark.parametrize(
    "name, form",
    [
        ("a.jfif", "JPEG"), ("a.jpe", "JPEG"), ("a.mpo", "MPO"), ("a.jp2", "JPEG2000"),
        ("a.avif", "AVIF"), ("a.tga", "TGA"), ("a.qoi", "QOI"), ("a.pcx", "PCX"),
        ("a.gif", "GIF"), ("a.unknown", "PNG"),
        ("no_suffix", "JPEG"), ("photo.png", "JPEG"), ("photo.jpg", "WEBP"),
    ],
)  # fmt: skip
def test_images(tmp_path, name, form):
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    IMAGE.save(tmp_path / name, format=form)
    assert kind_of(tmp_path / name) == ("image", 1, IMAGE.size)


@pytest.mark.parametrize(
    "name, form, codec",
    [
        ("a.mts", "mpegts", "libx264"), ("a.m2ts", "mpegts", "libx264"), ("a.3gp", "3gp", "mpeg4"),
        ("a.flv", "flv", "flv1"), ("a.vob", "vob", "mpeg2video"), ("a.asf", "asf", "wmv2"),
        ("a.unknown", "mp4", "libx264"), ("no_suffix", "matroska", "libx264"),
    ],
)  # fmt: skip
def test_videos(tmp_path, name, form, codec):
    suffix = {"mpegts": "ts", "matroska": "mkv"}.get(form, form)
    write_moving(tmp_path / f"written.{suffix}", codec).rename(tmp_path / name)
    assert kind_of(tmp_path / name) == ("video", 2, IMAGE.size)


@pytest.mark.parametrize("name", ["a:b.mp4", "1%d.mp4", "walk%03d.gif", "50% off.png", "a#b?.mp4"])
@pytest.mark.parametrize("relative", [True, False])
def test_special_characters_in_names(tmp_path, monkeypatch, name, relative):
    monkeypatch.chdir(tmp_path)
    if name.endswith("png"):
        IMAGE.save(tmp_path / name)
    else:
        codec = "gif" if name.endswith("gif") else "libx264"
        write_moving(tmp_path / f"a.{name[-3:]}", codec).rename(tmp_path / name)
    assert kind_of(name if relative else tmp_path / name)[2] == IMAGE.size


def test_folder_of_images_with_unknown_suffixes(tmp_path):
    for i in range(3):
        IMAGE.save(tmp_path / f"frame{i}.data", format="PNG")
    (tmp_path / "notes.txt").write_text("notes")
    assert kind_of(tmp_path) == ("images", 2, IMAGE.size)


def test_folder_with_images_and_keypoints_reports_which_are_used(tmp_path):
    IMAGE.save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text("{}")
    notes = []
    assert Source.open(tmp_path, log=notes.append).kind == "images"
    assert len(notes) == 1 and "1 images and 1 keypoint files; the images are used" in notes[0]


def test_raw_photo_is_refused(tmp_path):
    IMAGE.save(tmp_path / "a.nef", format="TIFF")
    with pytest.raises(ValueError, match="raw photo; export it as JPEG"):
        Source.open(tmp_path / "a.nef")


def test_heic_names_the_missing_package(tmp_path, monkeypatch):
    monkeypatch.setattr("camerapose.io.images._register_heif", lambda: None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(ValueError, match="pip install .*camerapose.heic"):
        Source.open(tmp_path / "a.heic").info()


def test_heic(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    IMAGE.save(tmp_path / "a.heic", format="HEIF")
    IMAGE.save(tmp_path / "photo.jpg", format="HEIF")
    for name in ("a.heic", "photo.jpg"):
        assert kind_of(tmp_path / name) == ("image", 1, IMAGE.size)


@pytest.mark.parametrize(
    "text",
    ["#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n", "ffconcat version 1.0\nfile other.mp4\n"],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.txt", "a.m3u8"])
def test_playlist_opens_no_other_file(tmp_path, text, name):
    write_moving(tmp_path / "other.mp4", n_frames=3)
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="cannot be read as a video|neither an image"):
        Source.open(tmp_path / name).info()


class TestSeveralFrames:
    @pytest.mark.parametrize("name", ["a.webp", "a.png", "a.apng", "a.avif", "a.gif"])
    def test_animation_is_a_video(self, tmp_path, name):
        if name == "a.avif" and not features.check("avif"):
            pytest.skip("Pillow without AVIF")
        images = [Image.new("RGB", (32, 24), (40 * i, 0, 0)) for i in range(5)]
        durations = [50, 100, 50, 50, 50]
        form = "PNG" if name == "a.apng" else None
        images[0].save(
            tmp_path / name, form, save_all=True, append_images=images[1:], duration=durations,
            lossless=True,
        )  # fmt: skip
        source = Source.open(tmp_path / name)
        frames = list(source.frames())
        assert source.kind == "video" and source.info().n_frames == len(frames) == 5
        np.testing.assert_allclose([f.time for f in frames], [0, 0.05, 0.15, 0.2, 0.25])
        red = [int(f.image[0, 0, 0]) for f in frames]
        np.testing.assert_allclose(red, [0, 40, 80, 120, 160], atol=6)
        assert frames[2].name == "a_000002"
        assert [f.index for f in source.frames(1, 5, 2)] == [1, 3]
        with pytest.raises(ValueError, match="start 5 is beyond"):
            list(source.frames(start=5))

    @pytest.mark.parametrize("name", ["a.webp", "a.png"])
    def test_truncated_animation(self, tmp_path, name):
        noise = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3), np.uint8)
        images = [Image.fromarray(image) for image in noise]
        images[0].save(tmp_path / name, save_all=True, append_images=images[1:], duration=50)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: int(0.6 * len(content))])
        with pytest.raises(ValueError, match=name):
            list(Source.open(tmp_path / name).frames())

    def test_pages_of_a_tiff(self, tmp_path):
        pages = [Image.new("RGB", (32, 24), (40 * i, 0, 0)) for i in range(3)]
        pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
        notes = []
        (frame,) = Source.open(tmp_path / "a.tif", log=notes.append).frames()
        assert frame.image.max() == 0
        assert len(notes) == 1 and "only the first of several" in notes[0]


class TestDeepImages:
    @pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_grey_values_are_stretched(self, tmp_path, bits, suffix):
        ramp = np.linspace(0, 2**bits - 1, 256).round().astype(np.uint16)
        Image.fromarray(np.tile(ramp, (8, 1))).save(tmp_path / f"a.{suffix}")
        notes = []
        (frame,) = Source.open(tmp_path / f"a.{suffix}", log=notes.append).frames()
        assert np.abs(frame.image[0, :, 0].astype(int) - np.arange(256)).max() <= 1
        assert len(notes) == (bits < 16)

    @pytest.mark.parametrize("bits", [12, 16])
    def test_colours_are_stretched(self, tmp_path, bits):
        import av

        values = np.random.default_rng(0).integers(0, 2**bits, (24, 32, 3), np.uint16)
        values[0, 0] = 2**bits - 1
        codec = av.CodecContext.create("png", "w")
        codec.width, codec.height, codec.pix_fmt = 32, 24, "rgb48be"
        codec.time_base = Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(values, format="rgb48le").reformat(format="rgb48be")
        packets = [*codec.encode(frame), *codec.encode()]
        (tmp_path / "a.png").write_bytes(b"".join(bytes(packet) for packet in packets))
        (frame,) = Source.open(tmp_path / "a.png").frames()
        expected = values / (2**bits - 1) * 255
        assert np.abs(frame.image - expected).max() <= 1.5


@pytest.mark.parametrize("read", [Poses.load, keypoints.read])
def test_archive_with_a_huge_member_is_refused(tmp_path, read):
    """The size that the archive declares is checked before anything is decompressed."""
    poses = Poses(joint_formats.COCO_17, np.zeros((1, 17, 2)), np.ones((1, 17)))
    poses.save(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("label_x.npy", b"")
        archive.infolist()[-1].file_size = 3_000_000_000
    with pytest.raises(ValueError, match=r"a\.npz has 3\.0 GB when decompressed"):
        read(tmp_path / "a.npz")


class TestLimits:
    def test_pixels_of_an_image(self, tmp_path):
        IMAGE.save(tmp_path / "a.png")
        content = bytearray((tmp_path / "a.png").read_bytes())
        content[16:24] = struct.pack(">2I", 30_000, 30_000)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.png has more than"):
            Source.open(tmp_path / "a.png").info()

    @pytest.mark.parametrize("name", ["a.png", "a.webp", "a.mp4"])
    def test_own_limit(self, tmp_path, name):
        if name == "a.mp4":
            write_moving(tmp_path / name, n_frames=3)
        else:
            IMAGE.save(tmp_path / name)
        strict = Limits(max_pixels=IMAGE.width * IMAGE.height - 1)
        with pytest.raises(ValueError, match="64 x 48 pixels"):
            Source.open(tmp_path / name, limits=strict).info()
        exact = Limits(max_pixels=IMAGE.width * IMAGE.height)
        assert Source.open(tmp_path / name, limits=exact).info()[:2] == IMAGE.size

    def test_declared_size_of_a_gif_is_checked_before_decoding(self, tmp_path):
        Image.new("P", (2, 2)).save(tmp_path / "a.gif")
        content = bytearray((tmp_path / "a.gif").read_bytes())
        content[6:10] = (16000).to_bytes(2, "little") * 2
        (tmp_path / "a.gif").write_bytes(content)
        with pytest.raises(ValueError, match="16000 x 16000 pixels"):
            Source.open(tmp_path / "a.gif").info()

    @pytest.mark.parametrize("name", ["a.mp4", "a.apng", "folder"])
    def test_frames(self, tmp_path, name):
        limits, path = Limits(max_frames=5), tmp_path / name
        if name == "folder":
            path.mkdir()
            for i in range(6):
                IMAGE.save(path / f"{i}.png")
        else:
            write_moving(path, "apng" if name == "a.apng" else "libx264", n_frames=6)
        with pytest.raises(ValueError, match="6 frames; at most 5"):
            list(Source.open(path, limits=limits).frames())
        if name != "folder":
            assert len(list(Source.open(path, limits=limits).frames(end=5))) == 5

    def test_decompressed_size_of_an_archive(self, tmp_path):
        np.savez_compressed(tmp_path / "a.npz", a=np.zeros(100_000))
        with pytest.raises(ValueError, match=r"a\.npz has 0.0 GB when decompressed"):
            check_archive(tmp_path / "a.npz", Limits(max_bytes=100_000))
        check_archive(tmp_path / "a.npz")
        (tmp_path / "b.npz").write_bytes(b"PK\3\4 damaged")
        check_archive(tmp_path / "b.npz")
