"""Units of coordinates: pixels, fractions of the image, percent, and normalised by VideoPose3D."""

import numpy as np

#: Tolerance for joints outside the image, as a fraction of it.
MARGIN = 0.05
#: Joints outside of these quantiles of the file are outliers.
QUANTILE = 0.005
#: Percent are only assumed for images that are larger than this in both directions (pixels).
MIN_PERCENT_SIZE = 150
#: Values from 0 to 1 are only taken for fractions, instead of -1 to 1 of people in one quarter of
#: the image, if this many people are at different places or if the program writes fractions.
MIN_PLACES = 8
NAMES = {
    "unit": "fractions of the image (0 to 1)",
    "percent": "percent of the image",
    "symmetric": "normalised to -1 to 1 over the width, as VideoPose3D does",
    "corners": "normalised to -1 to 1 in both directions",
}


def check(unit: str | None) -> None:
    """Raise ValueError if a unit is not known."""
    accepted = ("pixel", *NAMES)
    if unit is not None and unit not in accepted:
        raise ValueError(f"unit is {unit!r}; accepted: {', '.join(accepted)}")


def recognise(
    points: np.ndarray, visible: np.ndarray, size: np.ndarray | None, usual: str | None = None
) -> str | None:
    """Return the unit of all coordinates of a file; None if it is ambiguous.

    Args:
        points: (n, joints, 2) as in the file.
        visible: (n, joints).
        size: (n, 2) image sizes in pixels, NaN where unknown; None if all are unknown.
        usual: unit that the program writes besides pixels, if it is known.

    Returns:
        "pixel" or a key of `NAMES`.
    """
    seen = points[visible]
    if not len(seen):
        return "pixel"
    low, high = np.quantile(seen, QUANTILE, axis=0), np.quantile(seen, 1 - QUANTILE, axis=0)
    known = np.zeros((0, 2)) if size is None else size[np.isfinite(size).all(axis=1)]
    if len(known) and (known.min(axis=0) <= 4).any():
        return "pixel"
    if high.max() <= 1 + MARGIN and low.min() >= -MARGIN:
        many = len(known) == 0 or _n_places(points, visible) >= MIN_PLACES
        return "unit" if usual == "unit" or many else None
    if high.max() <= 2.5 and low.min() >= -2.5:
        return _symmetric(low, high, known)
    inside = high.max() <= 100 * (1 + MARGIN) and low.min() >= -100 * MARGIN
    if not inside:
        return "pixel"
    if not len(known):
        return None
    large = known.min() > MIN_PERCENT_SIZE
    return "percent" if large and (high - low).max() > 40 else "pixel"


def _n_places(points: np.ndarray, visible: np.ndarray) -> int:
    """Return the number of people who are farther apart than their size, at most `MIN_PLACES`."""
    places: list[np.ndarray] = []
    for person, shown in zip(points, visible, strict=True):
        if not shown.any():
            continue
        low, high = person[shown].min(axis=0), person[shown].max(axis=0)
        centre, extent = (low + high) / 2, (high - low).max()
        if all(np.abs(centre - other).max() > extent / 2 for other in places):
            places.append(centre)
            if len(places) == MIN_PLACES:
                break
    return len(places)


def _symmetric(low: np.ndarray, high: np.ndarray, known: np.ndarray) -> str | None:
    """Tell apart two ways of normalising to -1 to 1; None if both are possible."""
    if not len(known):
        return "corners"  # refused by the caller, who has no size
    ratios = known[:, 1] / known[:, 0]
    reach = max(abs(low[1]), abs(high[1]))
    if np.abs(ratios - 1).max() < 0.01:
        return "symmetric"
    if reach > ratios.max() * (1 + MARGIN) and reach <= 1 + MARGIN:
        return "corners"
    if reach > 1 + MARGIN:
        return "symmetric" if reach <= ratios.max() * (1 + MARGIN) else None
    return None


def to_pixels(points: np.ndarray, unit: str, size: np.ndarray) -> np.ndarray:
    """Return points (n, joints, 2) in pixels.

    Args:
        unit: "pixel" or a key of `NAMES`.
        size: (n, 2) width and height.
    """
    if unit == "pixel":
        return points
    size = size[:, None]
    if unit == "unit":
        return points * size
    if unit == "percent":
        return points * size / 100
    if unit == "corners":
        return (points + 1) / 2 * size
    return points * size[..., :1] / 2 + size / 2
