"""The rotation between a camera and a camera that faces a point of its image."""

from typing import Any

from array_api_compat import array_namespace
from jaxtyping import Float


def view_rotation(
    point: Float[Any, "n 2"], focal: Float[Any, "n 2"], center: Float[Any, "n 2"]
) -> Float[Any, "n 3 3"]:
    """Return the rotation from a camera that faces an image point to the camera of the image.

    The z axis of the former is the ray through the point; its x axis has no component along the
    image's y axis. Under perspective, the appearance of a person depends on the viewing direction
    ("Perspective crop layers for 3D human pose estimation", Yu et al., CVPR 2021). For numpy arrays
    and torch tensors; gradients flow through all arguments.

    Args:
        point: image points in the unit of `focal` and `center`.
        focal: focal lengths.
        center: principal points.
    """
    xp = array_namespace(point, focal)
    rays = (point - center) / focal
    x, y = rays[:, :1], rays[:, 1:]
    # Columns: right = (1, 0, -x) a, down = forward x right, forward = (x, y, 1) b. Written out,
    # since stacks and a cross product are three times as many operations.
    square = 1 + x * x
    length = xp.sqrt(square)
    a, b = 1 / length, 1 / xp.sqrt(square + y * y)
    xa, yb = -x * a, y * b
    elements = [a, xa * yb, x * b, xp.zeros_like(x), length * b, yb, xa, -a * yb, b]
    return xp.reshape(xp.concat(elements, axis=1), (-1, 3, 3))
