"""Pictures: that the right things are drawn in the right place; how they look, eyes judge."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from camerapose import Camera, Poses
from camerapose.core import formats
from camerapose.view import visualize
from camerapose.view.visualize import LEFT, RIGHT, Row

BODY = np.array(
    [[0, 0, 0], [-0.13, 0, 0], [-0.13, 0.45, 0.05], [-0.13, 0.9, 0], [0.13, 0, 0],
     [0.13, 0.45, 0.05], [0.13, 0.9, 0], [0, -0.25, 0], [0, -0.5, 0], [0, -0.75, 0],
     [0.15, -0.5, 0], [0.25, -0.25, 0], [0.25, 0, -0.1], [-0.15, -0.5, 0], [-0.25, -0.25, 0],
     [-0.25, 0, -0.1]], np.float32
)  # fmt: skip
SIZE = (320, 240)


def people(n=1, places=None, size=SIZE):
    """Who stands 4 m away, side by side, facing away, as a `Predictor` returns it."""
    places = np.zeros(n) if places is None else np.asarray(places)
    roots = np.stack([places, np.zeros(n), np.full(n, 4.0)], -1).astype(np.float32)
    pose3d = BODY + roots[:, None]
    camera = Camera(np.full((n, 2), 2, np.float32), np.zeros((n, 2), np.float32), roots)
    pose2d = camera.project(pose3d)
    return Poses(
        formats.H36M_16, pose2d, np.ones((n, 16), np.float32), pose3d, camera,
        np.tile(np.float32([size]), (n, 1)), pose2d, {"person": np.arange(n)},
    )  # fmt: skip


@pytest.fixture
def image():
    return np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)


def pixels(figure, tmp_path):
    path = visualize.save_figure(figure, tmp_path / "a.png", dpi=60)
    return np.asarray(Image.open(path).convert("RGB")).astype(float)


def amount(picture, color):
    """Share of pixels that have a colour."""
    far = np.abs(picture - 255 * np.array(to_rgb(color))).max(-1)
    return (far < 12).mean()


def test_four_panels(image):
    figure = visualize.figure8(image, people(), title="0:01.0")
    titles = [text.get_text() for text in figure.texts]
    assert len(figure.axes) == 4 and titles[0] == "detected 2D" and titles[3] == "reprojected 2D"
    words = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert "0:01.0" in words and "4.0 m from the camera" in words
    assert "error 0.0 px, focal length 320 px" in words


def test_left_is_on_the_right_of_who_faces_the_camera(tmp_path):
    """The 2D panel alone: blue on one side, vermilion on the other."""
    facing = people().mirror()  # left at negative x becomes ...
    figure = visualize.figure8(None, facing)
    picture = pixels(figure, tmp_path)
    panel = picture[:, : picture.shape[1] // 4]
    columns = np.arange(panel.shape[1])
    near = {c: np.abs(panel - 255 * np.array(to_rgb(c))).max(-1) < 12 for c in (LEFT, RIGHT)}
    middle = {c: (mask[:-40] * columns).sum() / mask[:-40].sum() for c, mask in near.items()}
    left = facing.pose2d[0, facing.skeleton.index("left_wrist"), 0]
    right = facing.pose2d[0, facing.skeleton.index("right_wrist"), 0]
    assert (middle[LEFT] < middle[RIGHT]) == (left < right)


def test_both_sides_are_drawn(image, tmp_path):
    picture = pixels(visualize.figure8(image, people()), tmp_path)
    assert amount(picture, LEFT) > 0.001 and amount(picture, RIGHT) > 0.001


def test_joints_not_seen_are_left_out(image):
    poses = people()
    nobody = replace(poses, confidence=np.zeros_like(poses.confidence))
    drawn = [len(visualize.figure8(image, p).axes[0].collections[0].get_segments())
             for p in (poses, nobody)]  # fmt: skip
    assert drawn == [15, 0]


def test_3d_views_turn_the_right_way():
    """From the front x grows to the right and y down; from the side far is right."""
    axes = visualize.figure8(None, people()).axes
    front = visualize._Stage(axes[1], (0.0, 0.0), BODY)
    np.testing.assert_allclose(front.see([1, 2, 3]), [1, -2, 3], atol=1e-12)
    side = visualize._Stage(axes[2], (90.0, 0.0), BODY)
    np.testing.assert_allclose(side.see([1, 2, 3]), [3, -2, -1], atol=1e-12)
    above = visualize._Stage(axes[2], (0.0, 90.0), BODY)
    np.testing.assert_allclose(above.see([1, 2, 3]), [1, 3, 2], atol=1e-12)


def test_views_keep_lengths():
    stage = visualize._Stage(visualize.figure8(None, people()).axes[1], (37.0, 12.0), BODY)
    seen = stage.see(BODY)
    for child, parent in formats.H36M_16.bones:
        assert np.linalg.norm(seen[child] - seen[parent]) == pytest.approx(
            np.linalg.norm(BODY[child] - BODY[parent]), rel=1e-5
        )


@pytest.mark.parametrize("size", [(1920, 1080), (480, 640), (100, 100)])
@pytest.mark.parametrize("place", [-3.0, 0.0, 0.4, 8.0])
def test_window_has_the_panels_shape_and_holds_the_person(size, place):
    poses = people(places=[place], size=size)
    x0, y0, x1, y1 = visualize._window(poses, np.array(size, float), False, 1.1)
    assert (y1 - y0) / (x1 - x0) == pytest.approx(1.1)
    points = visualize._pixels(poses, poses.pose2d)[0]
    assert (points >= (x0, y0)).all() and (points <= (x1, y1)).all()


def test_image_may_be_smaller_than_the_poses_say(image):
    """Frames kept for a picture are shrunk; keypoints stay where they were."""
    half = image[::2, ::2]
    for small in (image, half):
        ax = visualize.figure8(small, people()).axes[0]
        x0, x1, y1, y0 = ax.images[0].get_extent()
        window = (*ax.get_xlim(), *ax.get_ylim()[::-1])
        assert x0 <= max(0, window[0]) and x1 >= min(SIZE[0], window[1])


def test_several_people_and_rows(image, tmp_path):
    rows = [Row(people(3, [-1.2, 0, 1.2]), image, "a"), Row(people(), None, "b")]
    figure = visualize.sheet(rows)
    assert len(figure.axes) == 8
    picture = pixels(figure, tmp_path)
    for color in visualize.PEOPLE[:3]:
        assert amount(picture, color) > 0.0005


@pytest.mark.parametrize("change", ["outside", "huge", "no size", "coco"])
def test_odd_poses_are_drawn(change, image, tmp_path):
    poses, shown = people(), image
    if change == "outside":
        poses = people(places=[9.0])
    elif change == "huge":
        poses = replace(poses, pose2d=poses.pose2d * 50)
    elif change == "no size":
        poses, shown = replace(poses, image_size=None), None
    else:
        poses = poses.to(formats.COCO_17)
    assert pixels(visualize.figure8(shown, poses), tmp_path).std() > 1


def test_nobody(image, tmp_path):
    assert pixels(visualize.figure8(image, people()[:0]), tmp_path).shape[2] == 3


def test_comparison(tmp_path):
    truth = people(2, [0, 0.5])
    predicted = replace(truth, pose3d=truth.pose3d + np.float32([0, 0, 0.25]))
    figure = visualize.comparison(truth, predicted, tmp_path / "c.png")
    words = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert "MPJPE 0 mm" in words and "root error 250 mm" in words
    assert (tmp_path / "c.png").exists()


def test_comparison_without_3d_truth():
    predicted = people(2)
    truth = Poses(predicted.skeleton, predicted.pose2d, predicted.confidence)
    assert len(visualize.comparison(truth, predicted).axes) == 6


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = visualize.figure8(None, people())
    with pytest.raises(ValueError, match="nonsense"):
        visualize.save_figure(figure, tmp_path / "a.nonsense")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_keypoints_are_coloured_by_confidence(image):
    poses = people(3)
    confidence = np.linspace(0, 1, 16, dtype=np.float32)
    poses = replace(poses, confidence=np.stack([confidence] * 3))
    rows = [Row(one, image, "a") for one in poses]
    axes = visualize.keypoints(rows).axes
    assert [ax.get_visible() for ax in axes] == [True] * 6 + [False] * 2
    dots = axes[0].collections[-1]
    np.testing.assert_allclose(dots.get_facecolors(), visualize.CONFIDENCE(confidence[1:]))
    bars = [patch.get_width() for patch in axes[1].patches][1::2]
    np.testing.assert_allclose(np.array(bars) / bars[-1], confidence, atol=1e-6)
    words = [text.get_text() for text in axes[1].texts]
    assert words[:2] == ["pelvis", "not seen"] and "15 of 16 joints seen" in words[-1]


def test_joints_that_the_refiner_moved_are_crossed(image):
    def marked(poses):
        return len(visualize.keypoints([Row(poses, image)]).axes[0].collections[-1].get_offsets())

    poses = people()
    moved = poses.pose2d.copy()
    moved[0, 3] += 0.3
    assert marked(replace(poses, refined2d=moved)) == 1 < marked(replace(poses, refined2d=None))


def test_gallery_pairs_2d_and_3d(image, tmp_path):
    rows = [Row(people(), image, f"photo {i}") for i in range(4)] + [Row(people(2, [-1, 1]), None)]
    figure = visualize.gallery(rows)
    assert [ax.get_visible() for ax in figure.axes] == [True] * 10 + [False] * 2
    assert figure.axes[4].texts[-1].get_text() == "photo 2"
    assert figure.axes[5].texts[-1].get_text() == "4.0 m away"
    assert pixels(figure, tmp_path).std() > 1


def test_arrows_stand_where_two_models_differ(image):
    first = people()
    bent = first.pose3d.copy()
    bent[0, 12, 0] += 0.2  # the left wrist, to the right
    bent[0, 15, 2] += 0.2  # the right wrist, away from the camera
    bent += np.float32([0, 0, 1])  # and the person: not what arrows are about
    figure = visualize.side_by_side([(Row(first, image), replace(first, pose3d=bent))], ("a", "b"))
    titles = [text.get_text() for text in figure.texts]
    assert titles == ["detected 2D", "a, front", "b, front", "a, side", "b, side"]
    arrows = [[text for text in ax.texts if text.arrow_patch] for ax in figure.axes]
    # Each with its white rim; from the front the second is hidden.
    assert [len(found) // 2 for found in arrows] == [0, 0, 1, 0, 2]
    tip, tail = np.array(arrows[2][0].xy), np.array(arrows[2][0].xyann)
    assert tip[0] - tail[0] == pytest.approx(0.2, abs=0.01) and abs(tip - tail)[1] < 0.01
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "25 mm apart (mean)" in words and "roots 100 cm apart" in words


def test_models_that_agree_get_no_arrows():
    figure = visualize.side_by_side([(Row(people()), people())], ("a", "b"))
    assert not [text for ax in figure.axes for text in ax.texts if text.arrow_patch]


def test_truth_lies_under_the_prediction():
    """Wherever it stands: nearer to the viewer, too."""
    truth = people()
    for push in (-0.3, 0.3):
        bent = truth.pose3d.copy()
        bent[:, 1:, 2] += push
        figure = visualize.comparison(truth, replace(truth, pose3d=bent))
        colors = [line.get_color() for line in figure.axes[1].lines]
        last = [i for i, color in enumerate(colors) if color == to_rgb(visualize.TRUTH)][-1]
        assert last < len(colors) / 2 + 1
