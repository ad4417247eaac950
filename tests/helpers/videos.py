"""Videos and images that the tests write."""

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
