"""Frames look as video players show them: orientation, pixel shape, dynamic range."""

import itertools
import shutil

import av
import numpy as np
import pytest
from helpers.videos import HEIGHT, WIDTH, set_display_matrix, write_h264, write_moving

from camerapose.io import hdr
from camerapose.io.source import Source


def first(path, **options):
    return next(Source.open(path, **options).frames()).image


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_h264(tmp_path_factory.mktemp("display") / "walk.mp4", n_frames=3)


ORIENTATIONS = [
    (sx, 0, 0, sy) if not swap else (0, sx, sy, 0)
    for swap, sx, sy in itertools.product((False, True), (1, -1), (1, -1))
]


class TestOrientation:
    @pytest.mark.parametrize("matrix", ORIENTATIONS)
    def test_each_pixel_is_where_the_matrix_maps_it(self, tmp_path, video, matrix):
        path = tmp_path / "a.mp4"
        shutil.copy(video, path)
        set_display_matrix(path, matrix)
        stored, shown = first(video), first(path)
        a, b, c, d = matrix
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        column, row = a * x + c * y, b * x + d * y
        expected = np.empty_like(shown)
        expected[row - row.min(), column - column.min()] = stored
        np.testing.assert_array_equal(shown, expected)
        assert Source.open(path).info()[:2] == shown.shape[1::-1]

    @pytest.mark.parametrize("matrix, quarter_turns", [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2)])
    def test_phone_rotation(self, tmp_path, video, matrix, quarter_turns):
        path = tmp_path / "a.mp4"
        shutil.copy(video, path)
        set_display_matrix(path, matrix)
        np.testing.assert_array_equal(first(path), np.rot90(first(video), quarter_turns))


class TestPixelAspect:
    @pytest.mark.parametrize(
        "aspect, size", [("4/3", (85, HEIGHT)), ("1/2", (WIDTH, 2 * HEIGHT)), ("1/1", (64, 48))]
    )
    def test_pixels_become_square(self, tmp_path, aspect, size):
        path = write_moving(tmp_path / "a.mp4", n_frames=3, aspect=aspect)
        assert first(path).shape == (size[1], size[0], 3)
        assert Source.open(path).info()[:2] == size

    def test_implausible_ratio_is_ignored(self, tmp_path):
        path = write_moving(tmp_path / "a.mp4", n_frames=3, aspect="1/100")
        assert first(path).shape == (HEIGHT, WIDTH, 3)

    def test_ratio_is_applied_before_the_rotation(self, tmp_path):
        path = write_moving(tmp_path / "a.mp4", n_frames=3, aspect="4/3")
        set_display_matrix(path, (0, 1, -1, 0))
        assert first(path).shape == (85, HEIGHT, 3)


def pq(light):
    """Return the PQ value of a luminance in cd/m2 (SMPTE ST 2084, the inverse of the reader's)."""
    y = (light / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


class TestHighDynamicRange:
    @pytest.mark.parametrize("transfer", [hdr.PQ, hdr.HLG])
    def test_curve_rises_from_black_to_white(self, transfer):
        ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
        mapped = hdr.tone_map(ramp, transfer).astype(int)
        assert (np.diff(mapped, axis=1) >= -2).all() and mapped[0, 0, 0] == 0
        assert mapped[0, -1, 0] == 255 and np.ptp(mapped, axis=2).max() <= 3

    def test_diffuse_white_and_mid_grey_keep_their_brightness(self):
        light = np.array([203 * 0.18, 203.0])
        coded = np.rint(255 * pq(light)).astype(np.uint8)
        mapped = hdr.tone_map(np.repeat(coded[None, :, None], 3, 2), hdr.PQ)[0, :, 0]
        assert abs(int(mapped[0]) - 118) < 25 and mapped[1] > 220

    def test_video(self, tmp_path):
        path, notes = tmp_path / "a.mp4", []
        coded = np.rint(65535 * pq(np.linspace(0, 203, WIDTH))).astype(np.uint16)
        image = np.broadcast_to(coded[None, :, None], (HEIGHT, WIDTH, 3)).copy()
        with av.open(str(path), "w") as container:
            options = {"x265-params": "log-level=none:pools=none:frame-threads=1"}
            stream = container.add_stream("libx265", rate=10, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
            stream.codec_context.color_trc = hdr.PQ
            stream.codec_context.color_primaries = stream.codec_context.colorspace = 9
            frame = av.VideoFrame.from_ndarray(image, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le")
            for packet in [*stream.encode(frame), *stream.encode()]:
                container.mux(packet)
        read = first(path, log=notes.append)
        expected = hdr.tone_map((image >> 8).astype(np.uint8), hdr.PQ)
        assert np.abs(read.astype(int) - expected).mean() < 8
        assert len(notes) == 1 and "HDR" in notes[0]


def test_cover_image_is_not_the_video(tmp_path):
    """Some files contain a thumbnail as their first video stream."""
    image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        cover = container.add_stream("mjpeg", rate=10)
        video = container.add_stream("libx264", rate=10)
        cover.width = cover.height = 16
        cover.pix_fmt = "yuvj420p"
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        thumbnail = av.VideoFrame.from_ndarray(image[:16, :16].copy(), format="rgb24")
        packets = [*cover.encode(thumbnail), *cover.encode()]
        for _ in range(12):
            packets += video.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        for packet in [*packets, *video.encode()]:
            container.mux(packet)
    frames = list(Source.open(tmp_path / "a.mkv").frames())
    assert len(frames) == 12 and frames[0].image.shape == (HEIGHT, WIDTH, 3)
