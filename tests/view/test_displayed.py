"""Predictions in several joint definitions: what is drawn of them, with standard deviations."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from helpers.drawing import SIZE, grey_image, has_color, people, render

from camerapose import Camera, Poses
from camerapose.core.angles import joint_angles
from camerapose.core.joint_formats import BODY_46, COCO_17, FORMATS, H36M_17, H36M_23, HALPE_26
from camerapose.view.displayed import displayed, std_pixels
from camerapose.view.frames import draw_frames
from camerapose.view.gallery import draw_gallery
from camerapose.view.report import plots
from camerapose.view.report.curves import angle_panels, panels
from camerapose.view.report.payload import payload
from camerapose.view.report.recording import Recording
from camerapose.view.rows import Row
from camerapose.view.style import STD

FEET = ("left_heel", "right_heel", "left_big_toe", "right_big_toe")


def predicted(given=COCO_17.joints, n=2, std=0.1):
    """Return random poses of body_46 of which the joints `given` are detected."""
    rng = np.random.default_rng(0)
    roots = np.tile(np.float32([0, 0, 4]), (n, 1))
    pose3d = (rng.normal(size=(n, 46, 3)) * 0.3 + roots[:, None]).astype(np.float32)
    camera = Camera(np.full((n, 2), 2, np.float32), np.zeros((n, 2), np.float32), roots)
    confidence = np.float32([[joint in given for joint in BODY_46.joints]] * n)
    return Poses(
        BODY_46, camera.project(pose3d), confidence, pose3d, camera,
        np.tile(np.float32([SIZE]), (n, 1)), camera.project(pose3d),
        {"frame": np.arange(n), "person": np.zeros(n, int)},
        pose3d_std=np.full((n, 46), std, np.float32),
    )  # fmt: skip


def test_each_joint_is_drawn_once_in_the_definition_of_the_input():
    poses = predicted()
    drawn = displayed(poses)
    assert drawn.skeleton == HALPE_26
    for joint in (*COCO_17.joints, *FEET):
        i, j = HALPE_26.index(joint), BODY_46.index(joint)
        np.testing.assert_array_equal(drawn.pose3d[:, i], poses.pose3d[:, j])
    laboratory = predicted([f"{joint}_h36m" for joint in H36M_17.joints])
    assert displayed(laboratory).skeleton == H36M_23
    assert len(displayed(poses[:0])) == 0


def test_angles_are_those_of_exported_files():
    """The trunk bends at the spine, which COCO's joints do not have."""
    poses = predicted(n=3)
    exported = poses.to(H36M_23)
    expected = joint_angles(exported.pose3d * [1.0, -1.0, -1.0], H36M_23)
    shown = {panel.title: panel.lines for panel in angle_panels(poses)}
    np.testing.assert_allclose(shown["knee flexion, degrees"][0].values, expected["knee_angle_l"])
    extension = shown["trunk, degrees"][0].values
    np.testing.assert_allclose(extension, expected["lumbar_extension"])
    assert np.ptp(extension) > 1


def test_people_of_plots_are_in_the_order_of_their_numbers(monkeypatch, tmp_path):
    """Also if another person is visible for longer."""
    first, second = predicted(n=2), predicted(n=4)
    second.labels["person"][:] = 1
    order = []
    monkeypatch.setattr(plots, "draw_angles", lambda people: order.extend(n for n, _ in people))
    monkeypatch.setattr(plots, "draw_trajectories", lambda people, ground: None)
    plots.write_plots(Poses.cat([second, first]), tmp_path)
    assert order == [0, 1]


@pytest.mark.parametrize(
    "name", ["blazepose_33", "body_25", "body_25b", "halpe_26", "coco_wholebody_23", "body_46"]
)
def test_feet_are_drawn_in_formats_that_have_them(name):
    poses = displayed(predicted().to(FORMATS.get(name, BODY_46)))
    bones = {poses.skeleton.joints[child] for child, _ in poses.skeleton.bones}
    toe = "foot_index" if name == "blazepose_33" else "big_toe"
    assert {f"{side}_{joint}" for side in ("left", "right") for joint in ("heel", toe)} <= bones
    segments = draw_frames([Row(poses[:1])]).axes[0].collections[1].get_segments()
    detected = sum(
        min(poses.confidence[0, a], poses.confidence[0, b]) > 0 for a, b in poses.skeleton.bones
    )
    assert len(segments) == detected


def test_other_formats_are_unchanged():
    poses = people()
    assert displayed(poses) is poses and std_pixels(poses) is None


def test_discs_have_the_size_of_the_standard_deviation():
    """0.1 m at a distance of 4 m with a focal length of 320 pixels are 8 pixels."""
    poses = predicted()
    poses = replace(poses, pose3d=poses.pose3d * [1, 1, 0] + np.float32([0, 0, 4]))
    np.testing.assert_allclose(std_pixels(poses), 8, rtol=1e-5)
    poses.pose3d_std[0, 3] = np.inf
    assert std_pixels(poses)[0, 3] == 0


@pytest.mark.parametrize("draw", [draw_frames, draw_gallery])
def test_standard_deviations_are_visible_in_figures(draw, tmp_path):
    def amount(std):
        figure = draw([Row(predicted(n=1, std=std), grey_image())])
        assert any(text.get_text() == "standard deviation" for text in figure.legends[0].texts)
        legend = 60
        return has_color(render(figure, tmp_path)[:-legend], blended(STD)).mean()

    assert amount(0.3) > 2 * amount(0.02)


def blended(color, alpha=0.3):
    """Return the colour of a disc on white."""
    from matplotlib.colors import to_hex, to_rgb

    return to_hex([1 - alpha * (1 - channel) for channel in to_rgb(color)])


def test_report_has_heels_and_standard_deviations():
    poses = predicted()
    poses = replace(poses, labels={"frame": np.arange(len(poses))})
    lines = {panel.title: panel.lines for panel in panels(poses)}
    left, _ = lines["height of the heels above the camera, m"]
    expected = -poses.pose3d[:, BODY_46.index("left_heel"), 1]
    np.testing.assert_array_equal(left.values, expected)
    (mean,) = lines["mean standard deviation, mm"]
    np.testing.assert_allclose(mean.values, 100, rtol=1e-5)
    (knee, _) = lines["knee flexion, degrees"]
    assert knee.std is not None and np.isfinite(knee.std).all()
    content = payload(poses, [(0, poses)], Recording())
    std = np.frombuffer(base64.b64decode(content["people"][0]["std"]), "<u2")
    assert content["skeleton"]["joints"] == list(HALPE_26.joints) and set(std) == {100}
