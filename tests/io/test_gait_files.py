"""Gait events and parameters in exported files."""

import ezc3d
import numpy as np
import pandas
from helpers.clips import WALK_FPS, steady_walk

from camerapose.core import gait
from camerapose.core.joint_formats import H36M_16
from camerapose.io.export import Track, c3d, kinematics


def test_c3d_events(tmp_path):
    """Of the group EVENT, at the times of the gait analysis."""
    points = steady_walk()
    walking = Track(H36M_16, points, WALK_FPS, 2.0)
    c3d.write(tmp_path / "a.c3d", walking)
    events = gait.analyse(points, WALK_FPS, H36M_16).events
    group = ezc3d.c3d(str(tmp_path / "a.c3d"))["parameters"]["EVENT"]
    assert group["USED"]["value"] == [len(events)] and len(events) > 10
    np.testing.assert_allclose(
        group["TIMES"]["value"][1], [event.row / WALK_FPS for event in events], atol=1e-4
    )
    assert set(group["LABELS"]["value"]) == {"Foot Strike", "Foot Off"}
    assert group["CONTEXTS"]["value"] == [event.side.capitalize() for event in events]


def test_gait_in_the_kinematics(tmp_path):
    points = steady_walk()
    walking = Track(H36M_16, points, WALK_FPS, 2.0)
    kinematics.write_people(tmp_path / "a.kinematics.csv", {3: walking})
    table = pandas.read_csv(tmp_path / "a.kinematics.csv").set_index("quantity")
    found = gait.analyse(points, WALK_FPS, H36M_16)
    strikes = [e for e in found.events if (e.kind, e.side) == ("heel_strike", "right")]
    own = table.loc["heel_strike_r"]
    np.testing.assert_allclose(own["value"], [2 + e.row / WALK_FPS for e in strikes], atol=1e-5)
    np.testing.assert_allclose(own["time_s"], own["value"], atol=0.51 / WALK_FPS)
    lengths = [step.length for step in found.steps if step.side == "left"]
    np.testing.assert_allclose(table.loc["step_length_l", "value"], lengths, atol=1e-5)
    units = {"cadence": "1/min", "walking_speed": "m/s", "step_width_r": "m", "toe_off_l": "s"}
    assert all(set(table.loc[name, "unit"]) == {unit} for name, unit in units.items())
    assert set(table["person"]) == {3}
