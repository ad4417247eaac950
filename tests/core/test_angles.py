"""Joint angles and the centre of mass of bodies that are posed by known angles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from camerapose.core import angles, mass
from camerapose.core.joint_formats import BLAZEPOSE_33, BODY_46, COCO_17, H36M_16, H36M_23

#: Offsets of a body that faces +x (ISB: x forward, y up, z right), metres.
OFFSETS = {
    "spine": (0, 0.2, 0), "thorax": (0, 0.25, 0), "head": (0, 0.25, 0), "hip": (0, 0, 0.12),
    "knee": (0, -0.45, 0), "ankle": (0, -0.45, 0), "shoulder": (0, 0, 0.18),
    "elbow": (0, -0.3, 0), "wrist": (0, -0.25, 0),
}  # fmt: skip


def zxy(a, b, c):
    return Rotation.from_euler("ZXY", [a, b, c], degrees=True)


def body(heading=0.0, tilt=0.0, list=0.0, lumbar=(0, 0, 0), hip=(0, 0, 0), knee=0.0,
         arm=(0, 0, 0), elbow=0.0):  # fmt: skip
    """Return the joints (1, 16, 3) of a body posed by angles in degrees, both sides alike."""
    pelvis = Rotation.from_euler("YXZ", [heading, list, tilt], degrees=True)
    thorax = pelvis * zxy(*lumbar)
    joints = {"pelvis": np.array([1.0, 1.0, 2.0])}
    joints["spine"] = joints["pelvis"] + pelvis.apply(OFFSETS["spine"])
    joints["thorax"] = joints["spine"] + thorax.apply(OFFSETS["thorax"])
    joints["head"] = joints["thorax"] + thorax.apply(OFFSETS["head"])
    for side, sign in (("right", 1), ("left", -1)):
        mirror = np.array([1, 1, sign])
        femur = pelvis * zxy(hip[0], sign * hip[1], sign * hip[2])
        shank = femur * Rotation.from_euler("z", -knee, degrees=True)
        humerus = thorax * zxy(arm[0], sign * arm[1], sign * arm[2])
        forearm = humerus * Rotation.from_euler("z", elbow, degrees=True)
        chain = [
            ("hip", "pelvis", pelvis), ("knee", f"{side}_hip", femur),
            ("ankle", f"{side}_knee", shank), ("shoulder", "thorax", thorax),
            ("elbow", f"{side}_shoulder", humerus), ("wrist", f"{side}_elbow", forearm),
        ]  # fmt: skip
        for name, parent, rotation in chain:
            joints[f"{side}_{name}"] = joints[parent] + rotation.apply(OFFSETS[name] * mirror)
    return np.stack([joints[name] for name in H36M_16.joints])[None]


def found(points):
    return {name: value[0] for name, value in angles.joint_angles(points, H36M_16).items()}


def test_standing_body_has_zero_angles():
    values = found(body())
    assert {"hip_flexion_r", "knee_angle_l", "lumbar_extension", "elbow_flex_r"} <= set(values)
    values = {k: v for k, v in values.items() if not k.startswith("shoulder_plane")}
    np.testing.assert_allclose(list(values.values()), 0, atol=1e-5)


def test_a_raised_shoulder_does_not_tilt_the_thorax():
    points = body()
    arm = [H36M_16.index(f"right_{joint}") for joint in ("shoulder", "elbow", "wrist")]
    points[:, arm, 1] += 0.05
    values = found(points)
    assert all(abs(values[f"thorax_{name}"]) < 1e-4 for name in ("tilt", "list", "rotation"))
    assert abs(values["arm_add_r"]) < 1e-4 and abs(values["arm_add_l"]) < 1e-4


angle = st.floats(-60, 60)


@given(
    st.floats(-170, 170), angle, angle, st.tuples(angle, angle, angle),
    st.tuples(angle, angle, angle), st.floats(35, 120), st.tuples(angle, angle, angle),
    st.floats(35, 120),
)  # fmt: skip
def test_angles_are_recovered(heading, tilt, list, lumbar, hip, knee, arm, elbow):
    values = found(body(heading, tilt, list, lumbar, hip, knee, arm, elbow))
    expected = {
        "pelvis_rotation": heading, "pelvis_tilt": tilt, "pelvis_list": list,
        "lumbar_extension": lumbar[0], "lumbar_bending": lumbar[1], "lumbar_rotation": lumbar[2],
    }  # fmt: skip
    for side in "rl":
        expected |= {
            f"hip_flexion_{side}": hip[0], f"hip_adduction_{side}": hip[1],
            f"hip_rotation_{side}": hip[2], f"knee_angle_{side}": knee,
            f"arm_flex_{side}": arm[0], f"arm_add_{side}": arm[1], f"arm_rot_{side}": arm[2],
            f"elbow_flex_{side}": elbow,
        }  # fmt: skip
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=1e-4), name


@pytest.mark.parametrize("knee", [-5, 0, 3, 20])
def test_nearly_straight_knees(knee):
    """Signed, with little effect on the rotation of the hip."""
    values = found(body(hip=(20, 5, 0), knee=knee))
    assert values["knee_angle_r"] == pytest.approx(knee, abs=1e-4)
    assert values["hip_flexion_l"] == pytest.approx(20, abs=1e-4)
    assert values["hip_rotation_l"] == pytest.approx(0, abs=1e-4)


def test_opensim_order():
    axes = Rotation.from_euler("ZXY", [10, 20, 30], degrees=True).as_matrix()
    np.testing.assert_allclose(np.degrees(angles._space(axes[None], "zxy")).T, [[10, 20, 30]])
    with pytest.raises(ValueError, match="yxz or zxy"):
        angles._space(axes[None], "xyz")


def test_shoulder_elevation():
    """Plane 0 is abduction, 90 is flexion (ISB)."""
    values = found(body(arm=(0, -70, 0)))
    assert values["shoulder_elevation_l"] == pytest.approx(70)
    assert values["shoulder_plane_l"] == pytest.approx(0, abs=1e-6)
    assert found(body(arm=(50, 0, 0)))["shoulder_plane_r"] == pytest.approx(90)


def test_ankles_need_feet():
    assert not [name for name in found(body()) if name.startswith("ankle")]
    points = np.zeros((1, 33, 3))
    places = {
        "right_knee": (0, 0.5, 0),
        "right_ankle": (0, 0.08, 0),
        "right_heel": (-0.05, 0.03, 0),
    }
    toe = np.array([-0.05, 0.03, 0]) + 0.2 * np.array([np.cos(0.2), np.sin(0.2), 0])
    for joint, place in {**places, "right_foot_index": toe}.items():
        points[0, BLAZEPOSE_33.index(joint)] = place
    values = angles.joint_angles(points, BLAZEPOSE_33)
    assert values["ankle_angle_r"][0] == pytest.approx(np.degrees(0.2))


def test_missing_poses_and_joints():
    points = np.concatenate([body(), np.full((1, 16, 3), np.nan)])
    values = angles.joint_angles(points, H36M_16)
    assert all(np.isnan(value[1]) and np.isfinite(value[0]) for value in values.values())
    values = angles.joint_angles(np.random.default_rng(0).normal(size=(3, 17, 3)), COCO_17)
    assert "hip_flexion_r" in values  # pelvis and thorax are midpoints


class TestCenterOfMass:
    def test_masses_add_up(self):
        pairs = {"trunk": 1, "head": 1}
        total = sum(m * pairs.get(name, 2) for name, (*_, m) in mass.SEGMENTS.items())
        assert total == pytest.approx(1, abs=1e-3)
        assert all(sum(shares) == pytest.approx(1) for _, shares, _ in mass.SEGMENTS.values())

    def test_standing_body(self):
        """On the midline, at 55 to 58 per cent of the body height (here 1.65 m) of adults."""
        center = mass.center_of_mass(body(), H36M_16)[0]
        np.testing.assert_allclose(center[[0, 2]], [1, 2], atol=1e-9)
        floor = 1.0 - 0.9 - 0.07
        assert 0.53 < (center[1] - floor) / 1.7 < 0.60

    def test_moves_with_the_body(self):
        points = body(hip=(60, 0, 0), arm=(90, 0, 0))
        moved = mass.center_of_mass(points + [1, 2, 3], H36M_16)
        np.testing.assert_allclose(moved, mass.center_of_mass(points, H36M_16) + [1, 2, 3])
        assert mass.center_of_mass(points, H36M_16)[0, 0] > 1.05  # forward

    def test_missing_joints(self):
        assert mass.has_mass(H36M_16) and not mass.has_mass(COCO_17)
        with pytest.raises(ValueError, match="convert the poses to h36m_16"):
            mass.center_of_mass(np.zeros((1, 17, 3)), COCO_17)

    def test_std(self):
        """Of independent joints, against random draws."""
        random = np.random.default_rng(0)
        std = random.uniform(0.01, 0.05, (1, 16))
        draws = body() + random.normal(size=(20000, 16, 3)) * std[..., None]
        spread = mass.center_of_mass(draws, H36M_16).std(0)
        expected = mass.center_of_mass_std(std, H36M_16)[0]
        np.testing.assert_allclose(spread, expected, rtol=0.03)


def test_angle_std():
    """Against random draws; NaN for angles of joints without a standard deviation."""
    random = np.random.default_rng(0)
    points, std = (
        body(10, 5, 2, (3, 4, 5), (30, 5, 10), 50, (40, -20, 0), 60),
        np.full((1, 16), 0.01),
    )
    std[0, H36M_16.index("left_ankle")] = 0.02
    draws = points + random.normal(size=(20000, 16, 3)) * std[..., None]
    drawn, found_std = (
        angles.joint_angles(draws, H36M_16),
        angles.joint_angle_std(points, std, H36M_16),
    )
    assert found_std.keys() == drawn.keys()
    for name, values in found_std.items():
        assert values[0] == pytest.approx(drawn[name].std(), rel=0.1), name
    std[0, H36M_16.index("left_ankle")] = np.nan
    values = angles.joint_angle_std(points, std, H36M_16)
    assert np.isnan(values["knee_angle_l"][0]) and np.isfinite(values["knee_angle_r"][0])


@pytest.mark.parametrize("skeleton", [H36M_16, H36M_23, BODY_46], ids=lambda s: s.name)
def test_angle_std_of_joints_that_are_moved_together(skeleton, monkeypatch):
    random = np.random.default_rng(0)
    points = random.normal(size=(20, skeleton.n_joints, 3))
    std = random.uniform(0.01, 0.03, (20, skeleton.n_joints))
    found = angles.joint_angle_std(points, std, skeleton)
    monkeypatch.setattr(angles, "_groups", lambda s: [[joint] for joint in range(s.n_joints)])
    expected = angles.joint_angle_std(points, std, skeleton)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-9, err_msg=name)
