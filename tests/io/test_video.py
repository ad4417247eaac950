"""Reading video files that the tests write."""

import shutil
import struct

import av
import numpy as np
import pytest
from helpers import fakes
from helpers.videos import FPS, HEIGHT, WIDTH, write_h264

from camerapose.io.frames import IncompleteInput
from camerapose.io.source import Source


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_h264(tmp_path_factory.mktemp("video") / "walk.mp4")


class TestVideos:
    def test_frames_are_in_order_with_times(self, video):
        frames = list(Source.open(video).frames())
        assert [f.index for f in frames] == list(range(30))
        np.testing.assert_allclose([f.time for f in frames], np.arange(30) / FPS, atol=1e-6)
        assert frames[3].name == "walk_000003"
        bright = [int(f.image[:, -8:].mean()) for f in frames]
        np.testing.assert_allclose(bright, 40 + 5 * np.arange(30), atol=4)
        assert frames[0].image.shape == (HEIGHT, WIDTH, 3)
        red, green, blue = frames[20].image[:, : WIDTH // 4].mean((0, 1))
        assert red > 2 * max(green, blue)

    def test_info(self, video):
        assert Source.open(video).info() == (WIDTH, HEIGHT, FPS, 30)

    def test_start_end_stride(self, video):
        assert [f.index for f in Source.open(video).frames(start=4, end=15, stride=5)] == [
            4,
            9,
            14,
        ]
        with pytest.raises(ValueError, match="start 30 is beyond"):
            list(Source.open(video).frames(start=30))

    @pytest.mark.parametrize("bad", [{"start": -1}, {"stride": 0}, {"start": 5, "end": 5}])
    def test_bad_range_is_refused_at_once(self, video, bad):
        with pytest.raises(ValueError, match="pass 0 <= start < end"):
            Source.open(video).frames(**bad)

    def test_variable_frame_rate_and_late_start(self, tmp_path):
        times = 5 + np.array([0, 0.1, 0.3, 0.35, 0.9])
        path = fakes.write_video(tmp_path / "a.mkv", 5, times=times)
        frames = [f.time for f in Source.open(path).frames()]
        np.testing.assert_allclose(frames, times - 5, atol=1e-3)

    @pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
    def test_equal_time_stamps_are_replaced(self, tmp_path, ending):
        path = fakes.write_video(tmp_path / f"a.{ending}", 30, stamps=[0] * 30)
        times = [f.time for f in Source.open(path).frames()]
        assert len(times) > 20 and Source.open(path).info().fps == 10
        np.testing.assert_allclose(np.diff(times), 0.1)

    def test_times_increase_strictly(self, tmp_path):
        path = fakes.write_video(tmp_path / "a.mkv", 6, stamps=[0, 1, 1, 3, 4, 5])
        times = [f.time for f in Source.open(path).frames()]
        np.testing.assert_allclose(times, [0, 0.1, 0.2, 0.3, 0.4, 0.5])

    def test_video_is_streamed(self, video):
        assert next(Source.open(video).frames()).index == 0

    def test_matroska_declares_its_length(self, tmp_path):
        path = write_h264(tmp_path / "a.mkv")
        assert Source.open(path).info().n_frames == 30
        assert len(list(Source.open(path).frames())) == 30

    @pytest.mark.parametrize(
        "matrix, turns",
        [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
        ids=["clockwise", "upside down", "counter-clockwise"],
    )
    def test_rotation_is_applied(self, tmp_path, video, matrix, turns):
        """Phones store the rotation in the track header (ISO 14496-12, 8.3.2)."""
        a, b, c, d = (v << 16 for v in matrix)
        content = bytearray(video.read_bytes())
        place = content.index(b"tkhd") + 44
        content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path = tmp_path / "rotated.mp4"
        path.write_bytes(content)
        stored = next(Source.open(video).frames()).image
        np.testing.assert_array_equal(
            next(Source.open(path).frames()).image, np.rot90(stored, turns)
        )
        shown = (WIDTH, HEIGHT) if turns == 2 else (HEIGHT, WIDTH)
        assert Source.open(path).info()[:2] == shown

    def test_text_named_mp4(self, tmp_path):
        path = tmp_path / "a.mp4"
        path.write_text("this is not a video\n" * 100)
        for read in (Source.info, lambda source: list(source.frames())):
            with pytest.raises(ValueError, match="cannot be read as a video"):
                read(Source.open(path))

    def test_empty_file(self, tmp_path):
        (tmp_path / "a.mp4").touch()
        with pytest.raises(ValueError, match="the file is empty"):
            Source.open(tmp_path / "a.mp4").info()

    def test_video_without_frames(self, tmp_path):
        path = write_h264(tmp_path / "a.mp4", n_frames=0)
        with pytest.raises(ValueError, match="no video stream|without a single readable frame"):
            Source.open(path).info()

    def test_sound_only(self, tmp_path):
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            stream.layout = "mono"
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            sound.sample_rate = 8000
            for packet in [*stream.encode(sound), *stream.encode()]:
                container.mux(packet)
        with pytest.raises(ValueError, match="no video stream"):
            Source.open(path).info()

    @pytest.mark.parametrize("name", ["cut.mkv", "cut.mp4", "cut.avi"])
    def test_truncated_video_gives_its_frames_and_then_an_error(self, tmp_path, name):
        options = {"movflags": "faststart"} if name.endswith("mp4") else None
        path = write_h264(tmp_path / name, n_frames=40, options=options)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * (0.85 if name.endswith("avi") else 0.7))])
        frames = []
        with pytest.raises(IncompleteInput, match="damaged or truncated"):
            collect(Source.open(path).frames(), frames)
        assert 5 < len(frames) < 40
        assert [f.index for f in frames] == list(range(len(frames)))

    def test_truncated_before_the_index(self, tmp_path, video):
        path = tmp_path / "a.mp4"
        shutil.copy(video, path)
        path.write_bytes(path.read_bytes()[:-1500])
        with pytest.raises(ValueError, match="truncated before its index"):
            Source.open(path).info()

    def test_selected_part_of_a_truncated_video_is_complete(self, tmp_path):
        path = write_h264(tmp_path / "a.mkv", n_frames=40)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * 0.7)])
        assert len(list(Source.open(path).frames(end=5))) == 5


def collect(frames, into):
    """Keep the frames that precede an error."""
    for frame in frames:
        into.append(frame)
