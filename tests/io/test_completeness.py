"""Truncated videos and missing frames are reported, complete videos are not."""

import random

import numpy as np
import pytest
from helpers.videos import FPS, write_moving
from PIL import Image

from camerapose.io import containers
from camerapose.io.frames import IncompleteInput
from camerapose.io.source import Source

N = 40
#: Container, codec and options of the container.
CONTAINERS = {
    "a.mp4": ("libx264", {"movflags": "faststart"}),
    "fragments.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "a.mov": ("mpeg4", {"movflags": "faststart"}),
    "a.3gp": ("mpeg4", {"movflags": "faststart"}),
    "a.mkv": ("libx264", {}),
    "a.webm": ("libvpx-vp9", {}),
    "a.avi": ("mpeg4", {}),
    "jpeg.avi": ("mjpeg", {}),
    "a.ts": ("libx264", {}),
    "a.mts": ("libx264", {}),
    "a.mpg": ("mpeg2video", {}),
    "a.vob": ("mpeg2video", {}),
    "a.flv": ("flv1", {}),
    "a.wmv": ("wmv2", {}),
    "a.gif": ("gif", {}),
    "a.apng": ("apng", {}),
    "a.png": ("apng", {}),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("containers"), {}

    def get(name):
        if name not in made:
            codec, options = CONTAINERS[name]
            if name == "a.png":
                content = get("a.apng").read_bytes()
                (folder / name).write_bytes(content)
                made[name] = folder / name
            else:
                made[name] = write_moving(folder / name, codec, N, **options)
        return made[name]

    return get


def count(path):
    """Return the number of frames, and the error that follows them."""
    n = 0
    try:
        for _ in Source.open(path).frames():
            n += 1
    except ValueError as error:
        return n, error
    return n, None


def test_beginning_of_a_transport_stream_is_missing(videos, tmp_path):
    """Decoders resume at the next packet and key frame."""
    path = tmp_path / "a.ts"
    content = videos("a.ts").read_bytes()
    for damaged in (content[1483:], content[:343] + bytes(1178) + content[1521:]):
        path.write_bytes(damaged)
        n, error = count(path)
        assert 0 < n < N and "begins in the middle of a packet" in str(error)


@pytest.mark.parametrize("name", CONTAINERS)
class TestContainers:
    def test_complete_video(self, videos, name):
        assert count(videos(name)) == (N, None)

    def test_truncated_video(self, videos, name, tmp_path):
        content = videos(name).read_bytes()
        for share in (0.3, 0.55, 0.9):
            (tmp_path / name).write_bytes(content[: int(share * len(content))])
            n, error = count(tmp_path / name)
            assert n == N or str(tmp_path / name) in str(error)  # some end with padding
            assert n == 0 or error is None or isinstance(error, IncompleteInput)

    def test_zeros_inside(self, videos, name, tmp_path):
        content = videos(name).read_bytes()
        header = max(content.find(b"movi"), 0)  # AVI files have a large one
        start, length = header + int(0.4 * (len(content) - header)), int(0.2 * len(content))
        damaged = content[:start] + bytes(length) + content[start + length :]
        (tmp_path / name).write_bytes(damaged)
        n, error = count(tmp_path / name)
        assert error is not None and n < N

    def test_missing_part(self, videos, name, tmp_path):
        content = videos(name).read_bytes()
        start, end = int(0.4 * len(content)), int(0.6 * len(content))
        (tmp_path / name).write_bytes(content[:start] + content[end:])
        n, error = count(tmp_path / name)
        assert error is not None and n < N


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "flv", "ts"])
def test_variable_frame_rate_is_complete(tmp_path, suffix):
    steps = random.Random(0).choices([0.033, 0.05, 0.066, 0.1, 0.3], k=N)
    path = write_moving(tmp_path / f"a.{suffix}", n_frames=N, times=np.cumsum(steps))
    assert count(path) == (N, None)


def test_long_last_frame_of_an_mp4_is_complete(tmp_path):
    times = np.append(np.arange(N - 1) / FPS, 9.0)
    assert count(write_moving(tmp_path / "a.mp4", n_frames=N, times=times)) == (N, None)


def test_gap_in_a_constant_frame_rate(tmp_path):
    times = np.arange(N) / FPS + np.where(np.arange(N) > 20, 0.6, 0)
    n, error = count(write_moving(tmp_path / "a.ts", n_frames=N, times=times))
    assert n == N and "missing after 1.00 s for 0.65 s" in str(error)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.mpg", "mpeg2video"), ("a.mp4", "libx264")]
)
@pytest.mark.parametrize("dropped", [(24,), (22, 23, 24)])
def test_few_missing_frames_are_counted(tmp_path, name, codec, dropped):
    log = []
    path = write_moving(tmp_path / name, codec, N, dropped=dropped)
    assert len(list(Source.open(path, log=log.append).frames())) == N - len(dropped)
    number = "1 frame is" if len(dropped) == 1 else "3 frames are"
    assert len(log) == 1 and f"{name}: {number} missing after" in log[0]


def test_raw_streams_have_no_times(tmp_path):
    log = []
    path = write_moving(tmp_path / "a.h264", n_frames=N, dropped=(24,))
    assert len(list(Source.open(path, log=log.append).frames())) == N - 1
    assert len(log) == 1 and "lost frames cannot be detected" in log[0]


def test_gif_has_no_number_of_frames(tmp_path):
    log = []
    list(Source.open(write_moving(tmp_path / "a.gif", "gif", 3), log=log.append).frames())
    assert len(log) == 1 and "lost frames cannot be detected" in log[0]


def test_damaged_frames_of_a_gif(tmp_path):
    """FFmpeg decodes what remains of two frames that were joined as one, without an error."""
    path = write_moving(tmp_path / "a.gif", "gif", 8)
    content, unnoticed = path.read_bytes(), 0
    intact = [frame.image.tobytes() for frame in Source.open(path).frames()]
    generator = random.Random(0)
    for _ in range(60):
        start = generator.randrange(len(content))
        end = start + generator.randrange(1, len(content) // 4)
        path.write_bytes(content[:start] + content[end:])
        frames = []
        try:
            frames += (frame.image.tobytes() for frame in Source.open(path).frames())
        except ValueError:
            continue
        unnoticed += 1
        assert set(frames) <= set(intact)
    assert unnoticed < 6


@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "a.mov", "a.wmv", "a.apng", "a.webp"])
def test_joined_files_are_reported(videos, name, tmp_path):
    """Most decoders stop at the end of the first one."""
    if name == "a.webp":
        images = [Image.new("RGB", (8, 8), (6 * i, 0, 0)) for i in range(N)]
        images[0].save(tmp_path / name, save_all=True, append_images=images[1:])
        content = (tmp_path / name).read_bytes()
    else:
        content = videos(name).read_bytes()
    (tmp_path / name).write_bytes(2 * content)
    n, error = count(tmp_path / name)
    assert n == (2 * N if name == "a.gif" else N)
    assert f"another file begins at byte {len(content)}" in str(error)


def test_recording_that_begins_between_key_frames(tmp_path):
    path = write_moving(tmp_path / "a.ts", n_frames=N)
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 3 // 188 * 188 :])
    n, error = count(path)
    assert 10 < n < N and error is None


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"RIFF\0\0\0\0AVI ", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\x1aE\xdf\xa3", b"abc"],
)
def test_structure_of_short_files(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    reason = containers.damage(path)
    assert reason is None or "file" in reason
