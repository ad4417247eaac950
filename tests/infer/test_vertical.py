"""The vertical that the balance of people indicates."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_ground import STANDING, observe

from camerapose.core.joint_formats import H36M_16, HALPE_26, get
from camerapose.core.mass import center_of_mass
from camerapose.core.skeleton import Skeleton
from camerapose.infer import clip
from camerapose.infer.clip import vertical

ANKLES = [H36M_16.index("left_ankle"), H36M_16.index("right_ankle")]
LEGS = [i for i, j in enumerate(H36M_16.joints) if j.endswith(("hip", "knee", "ankle"))]
UPPER = [i for i in range(1, 16) if i not in LEGS]


def body(bend=0.0):
    """Return a person whose mass is above the middle of the support, facing away from the viewer.

    Args:
        bend: forward inclination of the trunk, degrees; the hips move back.
    """
    points = np.array([STANDING[name] for name in H36M_16.joints])
    turn = Rotation.from_euler("x", -bend, degrees=True)
    points[UPPER] = turn.apply(points[UPPER] - points[0]) + points[0]
    for _ in range(10):  # shear above the ankles
        legs = np.linalg.norm(points[LEGS[0]] - points[LEGS[1]]) + np.linalg.norm(
            points[LEGS[1]] - points[LEGS[2]]
        )
        mass = center_of_mass(points, H36M_16) - points[ANKLES].mean(0)
        points[:, 2] -= (vertical.SUPPORT * legs + mass[2]) / mass[1] * (points[:, 1] - 0.07)
    return points


def clip_of(points, pitch=0.0, roll=0.0, frames=60, turn=0.0):
    """Return a motionless person 5 m in front of a camera, and the true upward direction."""
    moved = Rotation.from_euler("y", turn, degrees=True).apply(points) + [0.2, 0, -5]
    poses = observe(np.repeat(moved[None], frames, 0), pitch, roll)
    poses = replace(poses, labels={**poses.labels, "time": np.arange(frames) / 30})
    down = Rotation.from_euler("x", -pitch, degrees=True)
    orientation = down * Rotation.from_euler("z", -roll, degrees=True)
    return poses, orientation.inv().apply([0, 1, 0]) * [1, -1, -1]


def estimates(poses):
    """Return the upward directions of the optimised clip and of its poses alone."""
    _, cameras = clip.optimize(poses, static=True, focal_known=True)
    return cameras[0].ground.axes[1], clip.estimate_ground(poses).axes[1]


def angle(a, b):
    return np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1)))


@pytest.mark.parametrize("bend", [0, 12])
@pytest.mark.parametrize("pitch, roll, turn", [(0, 0, 0), (30, -6, 70), (-15, 6, 180)])
def test_mass_is_above_the_feet(bend, pitch, roll, turn):
    """The direction is exact, also for people who bend a little and move the hips back."""
    poses, up = clip_of(body(bend), pitch, roll, turn=turn)
    indicated = vertical.indicated_verticals(poses)
    assert angle(indicated.up[0], up) < 0.5
    assert indicated.deviation.max() < 3 * vertical.DEVIATION


@pytest.mark.parametrize("pitch, roll", [(0, 0), (30, -6), (-15, 6)])
def test_a_standing_person_in_front_of_a_pitched_camera(pitch, roll):
    poses, up = clip_of(body(), pitch, roll)
    assert max(angle(way, up) for way in estimates(poses)) < 3


@pytest.mark.parametrize("roll, frames", [(-24, 15), (40, 15), (30, 60)])
def test_a_rolled_camera_and_a_short_clip(roll, frames):
    """Such cameras are rare, but people who lean so far without falling are rarer."""
    poses, up = clip_of(body(), 10, roll, frames)
    assert max(angle(way, up) for way in estimates(poses)) < 6


@pytest.mark.parametrize("posture", ["lying", "handstand"])
def test_people_who_do_not_stand(posture):
    """They do not turn the world: the vertical stays near that of usual cameras."""
    turn = {"lying": [0, 0, np.pi / 2], "handstand": [0, 0, np.pi]}[posture]
    points = Rotation.from_rotvec(turn).apply(body() - [0, 0.9, 0]) + [0, 0.9, 0]
    poses, up = clip_of(points, pitch=10, frames=120)
    assert max(angle(way, up) for way in estimates(poses)) < 20


def test_people_who_sit_indicate_little():
    points = body()
    thigh = points[H36M_16.index("left_knee")] - points[H36M_16.index("left_hip")]
    for side in ("left", "right"):
        joints = [H36M_16.index(f"{side}_{joint}") for joint in ("knee", "ankle")]
        points[joints] += [0, -thigh[1], thigh[1]]  # thighs level, shanks vertical
    indicated = vertical.indicated_verticals(clip_of(points)[0])
    assert (indicated.deviation > 1.0).all()


def test_long_clips_of_lying_people_do_not_outweigh_the_prior():
    points = Rotation.from_rotvec([0, 0, np.pi / 2]).apply(body())
    poses, up = clip_of(points, pitch=10, frames=60)
    slow = replace(poses, labels={**poses.labels, "time": np.arange(60) * 1.0})
    assert angle(clip.optimize(slow, static=True, focal_known=True)[1][0].ground.axes[1], up) < 25


def test_other_joint_formats():
    """Formats with the limbs and a head indicate the same; others nothing."""
    poses, up = clip_of(body(), 20)
    for target in (HALPE_26, get("mpii_16")):
        indicated = vertical.indicated_verticals(poses.to(target))
        assert angle(indicated.up[0], up) < 3
    bust = poses.to(Skeleton("bust", ("thorax", "head"), (None, "thorax")))
    assert "left_ankle" in vertical.missing_joints(bust.skeleton)
    assert np.isinf(vertical.indicated_verticals(bust).deviation).all()
    assert clip.optimize(bust, static=True)[1][0].ground is None
