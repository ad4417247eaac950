"""Tidy tables of motion: one row per frame, person and joint."""

from collections.abc import Iterator, Mapping

import numpy as np

from camerapose.io.export._tracks import CONTACTS, Track

#: Decimals of metres, seconds and probabilities.
METRES, SECONDS, PROBABILITY = 5, 6, 3
#: Frames of a part of a table.
PART = 2000


def tidy(people: Mapping[int, Track]) -> Iterator[dict[str, np.ndarray]]:
    """Iterate over the columns of parts of a tidy table; long tables would not fit into memory.

    Frames without a person have no rows.

    Columns: frame (number in the video), time_s, person, joint, x_m, y_m, z_m (axes of
    `camerapose.io.export`), std_m (`Track.std`) if the model predicts it, filled, which is true
    for poses that were interpolated over a gap, and contact_left and contact_right
    (`Track.contact`) if they are known.
    """
    for person, track in people.items():
        present, detected, n = track.present, track.detected, track.skeleton.n_joints
        frames, times = track.frames, track.times
        every = np.flatnonzero(present)
        for start in range(0, len(every), PART):
            rows = every[start : start + PART]
            points = track.points[rows].reshape(-1, 3).round(METRES)
            std = {} if track.std is None else {"std_m": track.std[rows].ravel().round(METRES)}
            yield {
                "frame": np.repeat(frames[rows], n),
                "time_s": np.repeat(times[rows].round(SECONDS), n),
                "person": np.full(len(points), person),
                "joint": np.tile(np.array(track.skeleton.joints), len(rows)),
                **{f"{axis}_m": points[:, i] for i, axis in enumerate("xyz")},
                **std,
                "filled": np.repeat(~detected[rows], n),
                **contacts(track, rows, n),
            }


def contacts(track: Track, rows: np.ndarray, repeat: int = 1) -> dict[str, np.ndarray]:
    """Return the columns of the contacts in some frames, each value repeated; {} if unknown."""
    if track.contact is None:
        return {}
    values = track.contact[rows].round(PROBABILITY)
    return {name: np.repeat(values[:, i], repeat) for i, name in enumerate(CONTACTS)}
