"""Videos and images that the tests write."""

import struct
from fractions import Fraction

import av
import numpy as np

WIDTH, HEIGHT, FPS = 64, 48, 20


def write_h264(path, n_frames=30, options=None):
    """Write frames whose brightness grows with their number; the left half is red."""
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


def asymmetric_image(width=WIDTH, height=HEIGHT):
    """Return an image, red left and blue bottom right, that differs from all its rotations."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = 255
    image[height // 2 :, width // 2 :, 2] = 255
    return image


def write_moving(
    path, codec="libx264", n_frames=40, *, aspect=None, times=None, dropped=(), **options
):
    """Write frames of a pattern that moves, so that each differs from the others.

    Args:
        aspect: pixel aspect ratio.
        times: of the frames in seconds; None: `FPS` frames per second.
        dropped: frames that are encoded but not written; there are no frames predicted from later
            ones then.
        options: of the container.
    """
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    pattern = noise.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = {"gif": "rgb8", "apng": "rgb24", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if codec not in ("gif", "apng"):
            stream.codec_context.gop_size = 5
        if dropped:
            stream.codec_context.max_b_frames = 0
        packets = []
        for index in range(n_frames):
            frame = av.VideoFrame.from_ndarray(np.roll(pattern, 2 * index, 1), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[index] * 1000), Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode()
        for index, packet in enumerate(packets):
            if index not in dropped:
                container.mux(packet)
    return path


def set_display_matrix(path, matrix):
    """Write a, b, c, d into the track header of an .mp4 (ISO 14496-12, 8.3.2)."""
    a, b, c, d = (v << 16 for v in matrix)
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
