"""Detections on rendered bodies: rendering, matching, resuming."""

import numpy as np
import pytest
from helpers import bodies
from helpers.layouts import LAYOUTS

from camerapose.core import joint_formats
from camerapose.data import cache
from camerapose.data.datasets import rendered
from camerapose.data.datasets.rendered import content, production
from camerapose.data.datasets.rendered.joints import BONES, superset
from camerapose.data.render.scene import HIDDEN, OUTSIDE, VISIBLE, Renderer


@pytest.fixture(scope="module")
def renderer():
    return Renderer(bodies.FakeBodies())


def draw(renderer, seed, people=2):
    random = np.random.default_rng(seed)
    pair = [np.tile(points, (2, 1, 1)) for points in (bodies.bones(), bodies.joints())]
    given = renderer.bodies.posed(np.full((2, 6), 0.5), *pair)
    return renderer.draw(random, given[0], given[1] if people == 2 else None)


@pytest.mark.parametrize("seed", range(6))
def test_labels_of_a_scene(renderer, seed):
    scene = draw(renderer, seed)
    width, height = scene.view.size
    assert scene.image.shape == (height, width, 3) and scene.image.dtype == np.uint8
    for person in scene.people:
        assert person.coco[:, 2].min() > 0
        pixels = scene.view.project(person.coco)
        np.testing.assert_allclose(person.pixels, pixels)
        outside = (pixels < 0).any(1) | (pixels >= scene.view.size).any(1)
        np.testing.assert_array_equal(person.visible == OUTSIDE, outside)
        assert set(np.unique(person.visible)) <= {OUTSIDE, HIDDEN, VISIBLE}
    assert scene.view.position[2] > 0
    again = draw(renderer, seed)
    np.testing.assert_array_equal(scene.image, again.image)


def test_many_joints_are_visible(renderer):
    visible = [draw(renderer, seed, people=1).people[0].visible == VISIBLE for seed in range(8)]
    assert np.mean(visible) > 0.4


class Simulated:
    """Detections that are the truth, optionally mirrored or displaced."""

    skeleton = "coco_17"

    def __init__(self, swap=False, offset=0.0):
        self.swap, self.offset, self.calls = swap, offset, 0

    def __call__(self, name, shard):
        self.calls += 1
        first = np.searchsorted(shard["image"], np.arange(len(shard["focal"])))
        focal, size = shard["focal"][:, None, None], shard["size"][:, None]
        pixels = content.project(shard["coco"][first], focal, size)[:, :17] + self.offset
        if self.swap:
            pixels = pixels[:, list(joint_formats.COCO_17.mirror)]
        return {
            "detected": np.concatenate([pixels, np.full_like(pixels[..., :1], 0.9)], -1),
            "skeleton": np.array("coco_17"),
        }


@pytest.fixture
def root(tmp_path, monkeypatch, renderer):
    bodies.write_postures(tmp_path)
    monkeypatch.setattr(production, "SHARD", 4)
    monkeypatch.setattr(rendered, "SHARD", 4)
    monkeypatch.setattr(production, "_renderer", lambda backgrounds: renderer)
    monkeypatch.setattr(production, "_detect", Simulated())
    production._postures.cache_clear()
    yield tmp_path
    production._postures.cache_clear()


def test_poses_have_detections_and_truth(root):
    poses = rendered.load(root, n=8)
    assert len(poses) == 8 and poses.skeleton == joint_formats.BODY_46
    assert set(poses.labels["subject"]) == {"cmu/01"} and set(poses.labels["action"]) == {"01"}
    body = [joint_formats.BODY_46.index(j) for j in joint_formats.COCO_17.joints]
    true = poses.camera.project(poses.pose3d)
    np.testing.assert_allclose(poses.pose2d[:, body], true[:, body], atol=1e-5)
    assert (poses.confidence[:, body] == np.float32(0.9)).all()
    assert (np.delete(poses.confidence, body, axis=1) == 0).all()
    np.testing.assert_allclose(poses.camera.translation, poses.root_position)
    visible = rendered.unpack_visible(poses.labels["visible"])
    np.testing.assert_array_equal(visible, rendered.read(root, n=8).visible)


def test_split_is_by_recording(root):
    assert set(rendered.read(root, n=4, split="test").clip) == {"cmu/09/02"}
    assert set(rendered.read(root, n=4, split="train").clip) == {"cmu/01/01"}


def test_subjects_can_be_excluded(root):
    assert len(rendered.load(root, n=4, excluded=("cmu/02",))) == 4
    assert len(rendered.load(root, n=4, excluded=("cmu/01",))) == 0


def test_run_resumes_and_images_are_shared(root, monkeypatch):
    first = rendered.read(root, n=4)
    monkeypatch.setattr(production, "_render", None)  # would fail if images were made again
    again = rendered.read(root, n=4, detector="rtmlib")
    np.testing.assert_array_equal(first.coco, again.coco)
    monkeypatch.undo()


def test_larger_sets_begin_with_the_smaller(root):
    small, large = rendered.read(root, n=3), rendered.read(root, n=8)
    assert len(small.coco) == 4 and len(large.coco) == 8
    np.testing.assert_array_equal(small.coco, large.coco[:4])
    assert production._detect.calls == 2


def test_exchanged_sides_match_and_distant_detections_do_not(root, monkeypatch):
    monkeypatch.setattr(production, "_detect", Simulated(swap=True))
    assert rendered.read(root, n=4).matched.all()
    monkeypatch.setattr(production, "_detect", Simulated(offset=300.0))
    assert not rendered.read(root, n=4, detector="rtmlib").matched.any()


def test_nobody_detected(root, monkeypatch):
    nothing = {"detected": np.zeros((4, 33, 3), np.float32), "skeleton": np.array("blazepose_33")}
    monkeypatch.setattr(production, "_detect", lambda name, shard: nothing)
    assert not rendered.read(root, n=4).matched.any()
    assert len(rendered.load(root, n=4)) == 0


def test_images_are_readable(root):
    rendered.read(root, n=4)
    path = next(root.glob("rendered/train-0-*/images/00000.npz"))
    with np.load(path) as shard:
        sizes = [image.shape[1::-1] for image in production.images(shard)]
        np.testing.assert_array_equal(sizes, shard["size"])


def test_number_of_workers_does_not_change_the_cache_key(root):
    keys = [cache._entry(rendered.load, root, {"workers": n}, root)[0] for n in (1, 2)]
    assert keys[0] == keys[1]
    assert keys[0] != cache._entry(rendered.load, root, {"n": 3}, root)[0]


@pytest.mark.parametrize(
    "options, match",
    [
        ({"split": "valid"}, "unknown split 'valid'"),
        ({"n": 0}, "n is 0"),
        ({"detector": "openpose"}, "unknown detector 'openpose'"),
    ],
)
def test_invalid_options(root, options, match):
    with pytest.raises(ValueError, match=match):
        rendered.load(root, **options)


def test_missing_postures(tmp_path):
    with pytest.raises(FileNotFoundError, match="anny_pairs.npz"):
        rendered.load(tmp_path, n=1)


def test_person_size_of_a_profile():
    line = np.stack([np.zeros(23), np.linspace(0, 100, 23)], 1)[None]
    np.testing.assert_allclose(content.person_size(line), 45)


@pytest.mark.slow
def test_anny_bodies_take_the_posture_of_others():
    """Posing a body of the same shape reproduces its joints to a few millimetres."""
    pytest.importorskip("anny")
    from camerapose.data.render.bodies import Bodies

    model = Bodies(BONES)
    shape = np.full((1, 6), 0.5, np.float32)
    zero = np.zeros((1, len(BONES), 3), np.float32), np.zeros((1, 23, 3), np.float32)
    rest = model.posed(shape, *zero)[0]  # no directions are given: at rest
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    given = (rest.bones @ turn.T)[None], (rest.coco @ turn.T)[None]
    posed = model.posed(shape, *given)[0]
    np.testing.assert_allclose(posed.bones, given[0][0], atol=5e-3)
    np.testing.assert_allclose(posed.coco, given[1][0], atol=5e-3)


def test_superset_keeps_surface_points_and_places_joints():
    random = np.random.default_rng(0)
    coco, bones = random.normal(size=(5, 23, 3)), random.normal(size=(5, len(BONES), 3))
    joints = superset(coco, bones)
    np.testing.assert_allclose(joints[:, :23], coco, atol=1e-6)
    at = {joint: joints[:, i] for i, joint in enumerate(joint_formats.BODY_46.joints)}
    hips = [bones[:, BONES.index(f"upperleg01.{side}")] for side in "LR"]
    np.testing.assert_allclose(at["pelvis_h36m"], (hips[0] + hips[1]) / 2, atol=1e-6)
    wide = at["left_hip_h36m"] - at["right_hip_h36m"]
    np.testing.assert_allclose(wide, 1.15 * (hips[0] - hips[1]), atol=1e-5)
    moved = superset(coco + 2.0, bones + 2.0)
    np.testing.assert_allclose(moved, joints + 2, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("shape", lambda shape: shape[:, :5], r"shape has shape .*expected \(6, 6\)"),
        ("visible", lambda visible: visible.astype(float), "visible is of type float64"),
        ("visible", lambda visible: visible + 1, "visible has other values than 0, 1 and 2"),
        ("source", lambda source: source.astype(float), "source is of type float64"),
        ("clip", lambda clip: np.arange(len(clip)), "clip is of type int64"),
    ],
)
def test_columns_of_other_types_are_refused(name, change, message, tmp_path):
    files, load = LAYOUTS["rendered"]
    for file, (arrays, write) in files.items():
        changed = {k: change(np.asarray(v)) if k == name else v for k, v in arrays.items()}
        write(tmp_path / file, changed)
    with pytest.raises(ValueError, match=rf"images\.npz: {message}"):
        load(tmp_path)


def test_columns_of_integers_are_converted(tmp_path):
    files, load = LAYOUTS["rendered"]
    for file, (arrays, write) in files.items():
        write(tmp_path / file, {k: np.int64(v) if k in ("focal", "size") else v
                                for k, v in arrays.items()})  # fmt: skip
    assert len(load(tmp_path)) == 6
