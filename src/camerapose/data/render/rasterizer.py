"""Z-buffer rasterisation of triangle meshes in NumPy."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

#: Triangles with a vertex closer than this (metres) are not drawn.
NEAR = 0.05
#: Triangles whose bounding box has more pixels than this are drawn in several steps.
MAX_FRAGMENTS = 4_000_000


class Fragments(NamedTuple):
    """The visible surface points of an image, one row per covered pixel.

    Attributes:
        pixel: index into the flattened image (row-major).
        face: index of the triangle.
        weights: perspective-correct barycentric coordinates.
        depth: z of the camera frame, metres.
    """

    pixel: Int[np.ndarray, " n"]
    face: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, "n 3"]
    depth: Float[np.ndarray, " n"]

    def interpolate(
        self, values: Float[np.ndarray, "vertices k"], faces: Int[np.ndarray, "f 3"]
    ) -> Float[np.ndarray, "n k"]:
        """Interpolate values of the vertices at the surface points."""
        corners = faces[self.face]
        return sum(self.weights[:, i, None] * values[corners[:, i]] for i in range(3))


def rasterize(
    pixels: Float[np.ndarray, "vertices 2"],
    depth: Float[np.ndarray, " vertices"],
    faces: Int[np.ndarray, "f 3"],
    size: tuple[int, int],
    *,
    cull: bool = True,
) -> Fragments:
    """Return the nearest surface point of every covered pixel.

    A pixel is covered if its centre is inside the projected triangle; the centre of the first
    pixel is (0.5, 0.5).

    Args:
        pixels: projected vertices.
        depth: z of the vertices in the camera frame, metres.
        faces: vertices of the triangles, counter-clockwise as seen from outside.
        size: (width, height) of the image.
        cull: leave out triangles that face away from the camera.
    """
    width, height = size
    faces_kept, low, extent = _boxes(pixels, depth, faces, size, cull)
    best = np.zeros(width * height)
    winner = np.full(width * height, -1)
    weights = np.zeros((width * height, 3), np.float32)
    for start, stop in _chunks(extent[:, 0] * extent[:, 1]):
        rows = slice(start, stop)
        part = _fragments(pixels, depth, faces, faces_kept[rows], low[rows], extent[rows], width)
        np.maximum.at(best, part.pixel, 1 / part.depth)
        nearest = 1 / part.depth >= best[part.pixel]
        winner[part.pixel[nearest]] = part.face[nearest]
        weights[part.pixel[nearest]] = part.weights[nearest]
    pixel = np.flatnonzero(winner >= 0)
    return Fragments(pixel, winner[pixel], weights[pixel], 1 / best[pixel])


def _boxes(pixels, depth, faces, size, cull):
    """Return the faces to draw, and the first pixel and extent of their bounding boxes."""
    a, b, c = (pixels[faces[:, i]] for i in range(3))
    area = _cross(b - a, c - a)
    nearest = _least(*(depth[faces[:, i]] for i in range(3)))
    # y points down, so counter-clockwise faces have a negative area.
    kept = np.flatnonzero((area < 0 if cull else area != 0) & (nearest > NEAR))
    a, b, c = a[kept], b[kept], c[kept]
    low = np.maximum(np.ceil(_least(a, b, c) - 0.5), 0)
    high = np.minimum(np.floor(-_least(-a, -b, -c) - 0.5), np.array(size) - 1)
    inside = (high[:, 0] >= low[:, 0]) & (high[:, 1] >= low[:, 1])
    low, high = low[inside].astype(np.int64), high[inside].astype(np.int64)
    return kept[inside], low, high - low + 1


def _least(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the elementwise minimum; a reduction over an axis of three is much slower."""
    return np.minimum(np.minimum(a, b), c)


def _chunks(counts: np.ndarray) -> list[tuple[int, int]]:
    """Return ranges of triangles with at most about `MAX_FRAGMENTS` candidate pixels."""
    if not len(counts):
        return []
    step = np.cumsum(counts) // MAX_FRAGMENTS
    starts = np.flatnonzero(np.diff(step, prepend=-1)).tolist()
    return list(zip(starts, [*starts[1:], len(counts)], strict=True))


def _fragments(pixels, depth, faces, kept, low, extent, width) -> Fragments:
    """Return every pixel centre inside a triangle, also those behind others."""
    counts = extent[:, 0] * extent[:, 1]
    which = np.repeat(np.arange(len(kept)), counts)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    y, x = np.divmod(offset, extent[which, 0])
    x, y = x + low[which, 0], y + low[which, 1]
    p0, p1, p2 = (pixels[faces[kept, i]] for i in range(3))
    area = _cross(p1 - p0, p2 - p0)
    dx, dy = x + 0.5 - p0[which, 0], y + 0.5 - p0[which, 1]
    w1 = (dx * (p2 - p0)[which, 1] - dy * (p2 - p0)[which, 0]) / area[which]
    w2 = ((p1 - p0)[which, 0] * dy - (p1 - p0)[which, 1] * dx) / area[which]
    inside = np.flatnonzero((w1 >= 0) & (w2 >= 0) & (w1 + w2 <= 1))
    w1, w2, which = w1[inside], w2[inside], which[inside]
    face = kept[which]
    weights = np.stack([1 - w1 - w2, w1, w2], 1) / depth[faces[face]]
    inverse = weights[:, 0] + weights[:, 1] + weights[:, 2]
    pixel = y[inside] * width + x[inside]
    return Fragments(pixel, face, (weights / inverse[:, None]).astype(np.float32), 1 / inverse)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def vertex_normals(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Return unit normals of the vertices, the area-weighted mean over their triangles."""
    p0, p1, p2 = (vertices[faces[:, i]] for i in range(3))
    of_faces = np.cross(p1 - p0, p2 - p0)
    total = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(of_faces[:, axis], 3), minlength=len(vertices))
            for axis in range(3)
        ],
        axis=1,
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
