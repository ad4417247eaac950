"""Reading images and videos, on files that the tests write."""

import shutil
import struct

import av
import numpy as np
import pytest
from helpers import fakes
from PIL import Image

from camerapose.io import media

WIDTH, HEIGHT, FPS = 64, 48, 20


def write_video(path, n_frames=30, options=None):
    """Frames whose brightness grows with their number; the left half is red."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 5
        container.start_encoding()  # writes the file's header even without a frame
        for index in range(n_frames):
            image = np.full((HEIGHT, WIDTH, 3), 40 + 5 * index, np.uint8)
            image[:, : WIDTH // 2, 1:] = 0
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "walk.mp4")


def picture(width=WIDTH, height=HEIGHT):
    """Red on the left, blue below on the right: every turn of it looks different."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = 255
    image[height // 2 :, width // 2 :, 2] = 255
    return image


class TestKind:
    def test_goes_by_the_ending(self, tmp_path):
        for name, expected in [("a.JPG", "image"), ("a.mp4", "video"), ("a.npz", "keypoints")]:
            (tmp_path / name).touch()
            assert media.kind(tmp_path / name) == expected

    def test_folders_go_by_what_they_hold(self, tmp_path):
        (tmp_path / "a.json").touch()
        assert media.kind(tmp_path) == "keypoints"
        (tmp_path / "a.png").touch()
        assert media.kind(tmp_path) == "folder"

    def test_folder_without_images_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="holds no images"):
            media.kind(tmp_path)

    def test_absent_and_unknown(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no file or folder"):
            media.kind(tmp_path / "a.png")
        (tmp_path / "a.doc").touch()
        with pytest.raises(ValueError, match="neither image"):
            media.kind(tmp_path / "a.doc")


class TestImages:
    def test_is_read_as_it_is(self, tmp_path):
        Image.fromarray(picture()).save(tmp_path / "a.png")
        (frame,) = media.frames(tmp_path / "a.png")
        np.testing.assert_array_equal(frame.image, picture())
        assert (frame.index, frame.time, frame.name) == (0, 0.0, "a.png")
        assert media.probe(tmp_path / "a.png") == (WIDTH, HEIGHT, None, 1)

    def test_exif_turn_is_undone(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown turned clockwise by 90 degrees
        turned = Image.fromarray(np.ascontiguousarray(np.rot90(picture())))
        turned.save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(media.read_image(tmp_path / "a.png"), picture())

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
        read = media.read_image(path)
        assert read.shape == (HEIGHT, WIDTH, 3) and read.dtype == np.uint8
        if mode != "1":
            assert abs(read.astype(int) - grey[..., None]).max() <= 8

    def test_transparent_is_white(self, tmp_path):
        Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "a.png")
        assert (media.read_image(tmp_path / "a.png") == 255).all()

    @pytest.mark.parametrize("content", [b"", b"hello", None])
    def test_corrupt_is_refused(self, tmp_path, content):
        path = tmp_path / "a.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:3000] if content is None else content)
        with pytest.raises(ValueError, match="cannot be read as an image"):
            list(media.frames(path))

    def test_keypoints_are_no_images(self, tmp_path):
        (tmp_path / "a.json").touch()
        with pytest.raises(ValueError, match="keypoints, not images"):
            media.frames(tmp_path / "a.json")


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        for number in (10, 9, 1, 2):
            Image.new("RGB", (8, 6), (number, 0, 0)).save(tmp_path / f"im{number}.png")
        (tmp_path / "notes.txt").touch()
        return tmp_path

    def test_is_in_the_order_of_numbers(self, folder):
        found = list(media.frames(folder))
        assert [f.name for f in found] == ["im1.png", "im2.png", "im9.png", "im10.png"]
        assert [f.image[0, 0, 0] for f in found] == [1, 2, 9, 10]
        assert media.probe(folder) == (8, 6, None, 4)

    def test_start_end_stride(self, folder):
        assert [f.index for f in media.frames(folder, start=1, stride=2)] == [1, 3]
        with pytest.raises(ValueError, match="none is at 4"):
            list(media.frames(folder, start=4))

    def test_broken_image_is_told_after_the_others(self, folder):
        (folder / "im2.png").write_bytes(b"broken")
        found = []
        with pytest.raises(media.IncompleteInput, match=r"1 of 4 images .*im2\.png"):
            _collect(media.frames(folder), found)
        assert [f.name for f in found] == ["im1.png", "im9.png", "im10.png"]


class TestSeveralImages:
    @pytest.fixture
    def folders(self, tmp_path):
        for place in ("a/im2.png", "a/im10.png", "b/im2.png", "b/notes.txt"):
            (tmp_path / place).parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 6)).save(tmp_path / place, format="png")
        return tmp_path

    def test_a_pattern(self, folders):
        pattern = str(folders / "a" / "*.png")
        assert media.kind(pattern) == "folder"
        assert [f.name for f in media.frames(pattern)] == ["im2.png", "im10.png"]
        assert media.probe(pattern) == (8, 6, None, 2)
        assert media.folder_of(pattern) == folders / "a"

    def test_images_of_several_folders_keep_their_paths(self, folders):
        names = [f.name for f in media.frames(str(folders / "*" / "im2.png"))]
        assert names == ["a/im2.png", "b/im2.png"]
        given = [folders / "b" / "im2.png", folders / "a" / "im10.png"]
        assert [f.name for f in media.frames(given)] == ["b/im2.png", "a/im10.png"]
        assert media.title_of(given) == "2 images"

    def test_brackets_may_be_in_a_name(self, tmp_path):
        Image.new("RGB", (8, 6)).save(tmp_path / "me[1].png")
        assert media.kind(str(tmp_path / "me[1].png")) == "image"

    def test_refused(self, folders):
        with pytest.raises(FileNotFoundError, match="No file is called"):
            media.kind(str(folders / "*.webp"))
        with pytest.raises(ValueError, match="notes.txt is none; give it alone"):
            media.kind(str(folders / "b" / "*"))


class TestWebcam:
    """FFmpeg's test picture stands in for what a webcam sees."""

    @pytest.fixture
    def webcam(self, monkeypatch):
        address = "testsrc2=size=96x64:rate=20", "lavfi", {}
        monkeypatch.setattr(media, "_camera", lambda name: address)

    def test_goes_on_with_its_own_clock(self, webcam):
        found = list(media.frames("0", end=5, stride=2))
        assert [f.index for f in found] == [0, 2, 4]
        np.testing.assert_allclose([f.time for f in found], [0, 0.1, 0.2])
        assert found[0].image.shape == (64, 96, 3) and found[1].name == "camera_000002"

    def test_is_meant_by_a_number(self, tmp_path, monkeypatch):
        assert media.kind("0") == media.kind("/dev/video2") == "camera"
        assert media._camera("1")[0] in ("/dev/video1", "1")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "0").mkdir()
        Image.new("RGB", (8, 6)).save(tmp_path / "0" / "a.png")
        assert media.kind("0") == "folder"

    def test_none_there(self):
        with pytest.raises(ValueError, match="Camera 97 can't be opened"):
            next(media.frames("97"))


class TestVideos:
    def test_frames_come_in_order_with_times(self, video):
        found = list(media.frames(video))
        assert [f.index for f in found] == list(range(30))
        np.testing.assert_allclose([f.time for f in found], np.arange(30) / FPS, atol=1e-6)
        assert found[3].name == "walk_000003"
        bright = [int(f.image[:, -8:].mean()) for f in found]
        np.testing.assert_allclose(bright, 40 + 5 * np.arange(30), atol=4)
        assert found[0].image.shape == (HEIGHT, WIDTH, 3)
        red, green, blue = found[20].image[:, : WIDTH // 4].mean((0, 1))
        assert red > 2 * max(green, blue)

    def test_probe(self, video):
        assert media.probe(video) == (WIDTH, HEIGHT, FPS, 30)

    def test_start_end_stride(self, video):
        assert [f.index for f in media.frames(video, start=4, end=15, stride=5)] == [4, 9, 14]
        with pytest.raises(ValueError, match="none is at 30"):
            list(media.frames(video, start=30))

    @pytest.mark.parametrize("bad", [{"start": -1}, {"stride": 0}, {"start": 5, "end": 5}])
    def test_bad_range_is_refused_at_once(self, video, bad):
        with pytest.raises(ValueError, match="give 0 <= start < end"):
            media.frames(video, **bad)

    def test_a_changing_frame_rate_and_a_late_beginning(self, tmp_path):
        times = 5 + np.array([0, 0.1, 0.3, 0.35, 0.9])
        path = fakes.write_video(tmp_path / "a.mkv", 5, times=times)
        found = [f.time for f in media.frames(path)]
        np.testing.assert_allclose(found, times - 5, atol=1e-3)

    @pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
    def test_times_of_frames_that_are_all_alike(self, tmp_path, ending):
        path = fakes.write_video(tmp_path / f"a.{ending}", 30, stamps=[0] * 30)
        times = [f.time for f in media.frames(path)]
        assert len(times) > 20 and media.probe(path).fps == 10
        np.testing.assert_allclose(np.diff(times), 0.1)

    def test_times_never_stand_still(self, tmp_path):
        path = fakes.write_video(tmp_path / "a.mkv", 6, stamps=[0, 1, 1, 3, 4, 5])
        times = [f.time for f in media.frames(path)]
        np.testing.assert_allclose(times, [0, 0.1, 0.2, 0.3, 0.4, 0.5])

    def test_a_video_is_streamed(self, video):
        assert next(media.frames(video)).index == 0

    def test_matroska_tells_its_length(self, tmp_path):
        path = write_video(tmp_path / "a.mkv")
        assert media.probe(path).count == 30
        assert len(list(media.frames(path))) == 30

    @pytest.mark.parametrize(
        "matrix, turns",
        [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
        ids=["clockwise", "upside down", "counter-clockwise"],
    )
    def test_turn_is_undone(self, tmp_path, video, matrix, turns):
        """As telephones store it: the turn stands in the track's header (ISO 14496-12, 8.3.2)."""
        a, b, c, d = (v << 16 for v in matrix)
        content = bytearray(video.read_bytes())
        place = content.index(b"tkhd") + 44
        content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path = tmp_path / "turned.mp4"
        path.write_bytes(content)
        stored = next(media.frames(video)).image
        np.testing.assert_array_equal(next(media.frames(path)).image, np.rot90(stored, turns))
        shown = (WIDTH, HEIGHT) if turns == 2 else (HEIGHT, WIDTH)
        assert media.probe(path)[:2] == shown

    def test_text_named_mp4(self, tmp_path):
        path = tmp_path / "a.mp4"
        path.write_text("this is no video\n" * 100)
        for read in (media.probe, lambda p: list(media.frames(p))):
            with pytest.raises(ValueError, match="cannot be read as a video"):
                read(path)

    def test_empty_file(self, tmp_path):
        (tmp_path / "a.mp4").touch()
        with pytest.raises(ValueError, match="It is empty"):
            media.probe(tmp_path / "a.mp4")

    def test_video_without_frames(self, tmp_path):
        path = write_video(tmp_path / "a.mp4", n_frames=0)
        with pytest.raises(ValueError, match="no pictures|without a single readable frame"):
            media.probe(path)

    def test_sound_only(self, tmp_path):
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            stream.layout = "mono"
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            sound.sample_rate = 8000
            for packet in [*stream.encode(sound), *stream.encode()]:
                container.mux(packet)
        with pytest.raises(ValueError, match="no pictures"):
            media.probe(path)

    @pytest.mark.parametrize("name", ["cut.mkv", "cut.mp4", "cut.avi"])
    def test_cut_video_gives_its_frames_and_then_an_error(self, tmp_path, name):
        options = {"movflags": "faststart"} if name.endswith("mp4") else None
        path = write_video(tmp_path / name, n_frames=40, options=options)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * (0.85 if name.endswith("avi") else 0.7))])
        found = []
        with pytest.raises(media.IncompleteInput, match="damaged or cut off"):
            _collect(media.frames(path), found)
        assert 5 < len(found) < 40
        assert [f.index for f in found] == list(range(len(found)))

    def test_cut_before_the_index(self, tmp_path, video):
        path = tmp_path / "a.mp4"
        shutil.copy(video, path)
        path.write_bytes(path.read_bytes()[:-1500])
        with pytest.raises(ValueError, match="cut off before its index"):
            media.probe(path)

    def test_wanted_part_of_a_cut_video_is_whole(self, tmp_path):
        path = write_video(tmp_path / "a.mkv", n_frames=40)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * 0.7)])
        assert len(list(media.frames(path, end=5))) == 5


def _collect(frames, into):
    """Keeps what came before an error."""
    for frame in frames:
        into.append(frame)
