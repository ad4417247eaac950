"""Known focal length, height and limb lengths are inputs of networks that accept them."""

import numpy as np
import pytest
from helpers.clips import three_people
from helpers.fakes import PERSON, SIZE
from helpers.prediction import run
from PIL import Image

from camerapose.core.anatomy import body_height
from camerapose.core.geometry import procrustes_align
from camerapose.infer import clip
from camerapose.infer.predictor import LIMBS, Predictor

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def predictor(body_graph):
    return Predictor(body_graph, threads=1)


def difference(a, b):
    """Return the largest distance (metres) of joints after alignment by rotation and scale."""
    a, b = (torch.as_tensor(np.asarray(p.pose3d, np.float64)) for p in (a, b))
    return float((procrustes_align(a, b) - b).norm(dim=-1).max())


def lift(predictor, **known):
    return predictor(PERSON[None], image_size=SIZE, **known)


@pytest.mark.parametrize(
    "known", [{"height": 1.2}, {"focal": 900.0}, {"focal": 900.0, "center": (250, 260)},
              *({"limbs": {name: 0.35}} for name in LIMBS)],
    ids=str,
)  # fmt: skip
def test_each_known_quantity_changes_the_pose_and_not_only_its_scale(predictor, known):
    poses = lift(predictor, **known)
    assert difference(poses, lift(predictor)) > 1e-3
    if "focal" in known:
        camera = poses.camera.in_pixels(poses.image_size)
        np.testing.assert_allclose(camera.focal, 900, rtol=1e-5)
        np.testing.assert_allclose(camera.center, [known.get("center", (320, 240))], atol=1e-3)


def test_one_value_per_person(predictor):
    both = predictor(np.stack([PERSON, PERSON]), image_size=SIZE, height=[1.2, 1.9])
    np.testing.assert_allclose(both.pose3d[:1], lift(predictor, height=1.2).pose3d, atol=1e-5)
    np.testing.assert_allclose(both.pose3d[1:], lift(predictor, height=1.9).pose3d, atol=1e-5)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"height": 175}, "give metres, from 0.3 to 2.8"),
        ({"height": np.nan}, "height is nan"),
        ({"height": [1.7, 1.8]}, "one for each of 1"),
        ({"limbs": {"thigh": 43}}, "thigh is 43"),
        ({"limbs": {"leg": 0.4}}, "limbs has leg; give thigh, shank"),
    ],
)
def test_invalid_quantities(predictor, known, message):
    with pytest.raises(ValueError, match=message):
        lift(predictor, **known)


def test_limbs_require_weights_that_accept_them(graph):
    with pytest.raises(ValueError, match="limbs require weights"):
        lift(Predictor(graph), limbs={"thigh": 0.4})


def test_options_of_predict_are_inputs_of_the_network(predictor, body_graph, tmp_path):
    given = lift(predictor)
    given.save(tmp_path / "k.npz")
    plain = run(tmp_path / "k.npz", None, body_graph)
    tall = run(tmp_path / "k.npz", None, body_graph, height=2.0)
    assert difference(tall, plain) > 1e-3
    assert body_height(tall.pose3d, tall.skeleton) == pytest.approx(2.0, abs=1e-3)
    expected = lift(predictor, focal=900.0, height=2.0)
    both = run(tmp_path / "k.npz", None, body_graph, focal=900.0, height=2.0)
    assert difference(both, expected) < 1e-4


def test_focal_lengths_of_some_photos(detector, body_graph, tmp_path):
    """The row without EXIF data is the network's own estimate."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28  # FocalLengthIn35mmFilm
    Image.new("RGB", SIZE, "white").save(tmp_path / "b.jpg", exif=exif)
    for name in ("a.jpg", "c.jpg"):
        Image.new("RGB", SIZE, "white").save(tmp_path / name)
    poses = run(tmp_path, None, body_graph)
    assert poses.labels["image"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    focal = poses.camera.in_pixels(poses.image_size).focal[:, 0]
    assert focal[1] == pytest.approx(28 / 43.27 * 800, rel=1e-4)
    assert focal[0] == pytest.approx(focal[2]) and abs(focal[0] - focal[1]) > 1
    assert difference(poses[0], poses[2]) < 1e-6 < 1e-3 < difference(poses[0], poses[1])


def test_options_do_not_change_the_input_of_other_networks(graph, tmp_path):
    """The pose is only scaled and turned to the camera."""
    people = three_people()
    assert not Predictor(graph).accepts_known
    people.save(tmp_path / "k.npz")
    plain = run(tmp_path / "k.npz", None, graph)
    assert difference(run(tmp_path / "k.npz", None, graph, height=2.0), plain) < 1e-4
    assert difference(run(tmp_path / "k.npz", None, graph, focal=900.0), plain) < 1e-4


def test_standard_deviations_are_scaled_with_the_pose(predictor):
    poses = lift(predictor)
    tall = clip.set_height(poses, 2.0)
    ratio = np.linalg.norm(tall.root_position) / np.linalg.norm(poses.root_position)
    np.testing.assert_allclose(tall.pose3d_std, poses.pose3d_std * ratio, rtol=1e-4)
