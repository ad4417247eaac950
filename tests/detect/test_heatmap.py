"""Heatmap networks: crops, decoding, settings and errors."""

import numpy as np
import onnxruntime
import pytest
from helpers.detectors import BoxDetector, blobs

from camerapose.detect._settings import read_settings
from camerapose.detect.heatmap import Detector, Settings, decode
from camerapose.io import runtime

#: A network for 96 x 128 input: heatmaps alternate red, green and blue, averaged over cells.
GRAPH = """
<ir_version: 8, opset_import: ["": 17]>
colours (float[1,3,128,96] image) => (float[1,17,32,24] heatmaps)
{
  small = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (image)
  which = Constant <value = int64[17] {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1}> ()
  heatmaps = Gather <axis = 1> (small, which)
}
"""
PLAIN = "mean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    onnx = pytest.importorskip("onnx")
    onnx.parser = pytest.importorskip("onnx.parser")
    path = tmp_path_factory.mktemp("network") / "colours.onnx"
    onnx.save(onnx.parser.parse_model(GRAPH), path)
    path.with_suffix(".toml").write_text(PLAIN)
    return path


def test_joints_have_subcell_accuracy(network):
    places = np.array([[210.3, 90.2], [180.6, 150.7], [225.1, 199.4]])
    boxes = BoxDetector((170, 80, 240, 210))
    detections = Detector(network, person_detector=boxes)(blobs(places))
    assert len(detections) == 1
    expected = places[np.arange(17) % 3]
    # a cell is about seven pixels wide here
    np.testing.assert_allclose(detections[0].keypoints, expected, atol=0.6)
    assert (detections[0].confidence > 0.8).all() and detections[0].score <= 1
    np.testing.assert_allclose(detections[0].box, [180.6, 90.2, 225.1, 199.4], atol=0.6)


@pytest.mark.parametrize("device", runtime.DEVICES)
def test_devices(network, device):
    if runtime.DEVICES[device][0] not in onnxruntime.get_available_providers():
        pytest.skip(f"no {device}")
    places, box = np.array([[210.3, 90.2], [180.6, 150.7], [225.1, 199.4]]), (170, 80, 240, 210)
    arguments = dict(device=device, threads=1, person_detector=BoxDetector(box))
    (person,) = Detector(network, **arguments)(blobs(places))
    np.testing.assert_allclose(person.keypoints, places[np.arange(17) % 3], atol=0.6)


def test_people_keep_their_identities_and_empty_boxes_are_rejected(network):
    places = [(320, 100), (330, 150), (310, 200)]
    boxes = BoxDetector((20, 20, 80, 120), (290, 90, 350, 210))
    detector = Detector(network, person_detector=boxes, max_people=2)
    detections = detector(blobs(places), track=True)
    assert [person.person for person in detections] == [1]
    detector.reset()
    assert boxes.resets == 1


def test_person_at_the_border(network):
    places = np.array([[6.0, 60.0], [15.0, 100.0], [9.0, 140.0]])
    detections = Detector(network, person_detector=BoxDetector((0, 50, 20, 150)))(blobs(places))
    np.testing.assert_allclose(detections[0].keypoints[:3], places, atol=1.5)


def test_normalisation_and_bgr(network):
    network.with_suffix(".toml").write_text(
        "mean = [0.0, 0.5, 0.0]\nstd = [2.0, 1.0, 1.0]\nbgr = true\n"
    )
    try:
        detector = Detector(network, person_detector=BoxDetector())
    finally:
        network.with_suffix(".toml").write_text(PLAIN)
    image = np.zeros((128, 96, 3), np.uint8)
    image[..., 0], image[..., 1] = 51, 255  # red 0.2, green 1
    maps = detector._heatmaps(image, np.zeros(2), 1.0)
    np.testing.assert_allclose(maps[:3, 16, 12], [0, 0.5, 0.2], atol=1e-6)


class TestDecode:
    def test_gaussian_at_any_position(self):
        random = np.random.default_rng(0)
        ground_truth = random.uniform(3, 20, (40, 2))
        y, x = np.mgrid[0:32, 0:24] + 0.5
        square = (x - ground_truth[:, :1, None]) ** 2 + (y - ground_truth[:, 1:, None]) ** 2
        places, confidence = decode(np.float32(0.7 * np.exp(-square / 2 / 1.5**2)))
        np.testing.assert_allclose(places, ground_truth, atol=0.01)
        assert (confidence <= 0.7001).all() and (confidence > 0.6).all()

    def test_borders_flat_and_negative_heatmaps(self):
        maps = np.zeros((4, 8, 6), np.float32)
        maps[0, 0, 0], maps[1, 7, 5], maps[3] = 0.9, 2.0, -1.0
        places, confidence = decode(maps)
        np.testing.assert_allclose(places[:2], [[0.5, 0.5], [5.5, 7.5]])
        np.testing.assert_allclose(confidence, [0.9, 1, 0, 0])
        assert np.isfinite(places).all()


class TestErrors:
    def test_device(self, network):
        with pytest.raises(ValueError, match="unknown device 'gpu'"):
            Detector(network, device="gpu", person_detector=BoxDetector())

    def test_image(self, network):
        with pytest.raises(ValueError, match="expected uint8 RGB"):
            Detector(network, person_detector=BoxDetector())(np.zeros((9, 9), np.uint8))

    def test_missing_file_and_invalid_graph(self, tmp_path):
        with pytest.raises(ValueError, match="no such file"):
            Detector(tmp_path / "none.onnx")
        (tmp_path / "bad.onnx").write_bytes(b"no graph")
        with pytest.raises(ValueError, match="cannot be read as an ONNX graph"):
            Detector(tmp_path / "bad.onnx")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("skeleton = 'mpii_16'", r"expected .*\(1, 16, h, w\)"),
            ("skeleton = 'coco_71'", "unknown skeleton"),
            ("means = [1, 2, 3]", "unknown: means; known: skeleton, mean"),
            ("std = [1.0, 0.0, 1.0]", "three above 0 as std"),
            ("skeleton = ", "invalid settings"),
        ],
    )
    def test_settings(self, network, text, reason):
        network.with_suffix(".toml").write_text(text)
        try:
            with pytest.raises(ValueError, match=reason):
                Detector(network, person_detector=BoxDetector())
        finally:
            network.with_suffix(".toml").write_text(PLAIN)

    def test_defaults_without_file(self, tmp_path):
        assert read_settings(tmp_path / "none.onnx", Settings) == Settings()
