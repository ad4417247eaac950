"""RTMPose and RTMO in MMPose's layout, with small graphs whose results depend on colours."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.detectors import BoxDetector, blobs

from camerapose.detect import rtmlib as plugin

onnx = pytest.importorskip("onnx")
pytest.importorskip("rtmlib")

#: 96 x 128 crops to SimCC of 17 joints, two bins per pixel: maxima of a colour over rows and
#: columns, after undoing RTMPose's normalisation.
RTMPOSE = """
<ir_version: 8, opset_import: ["": 17]>
simcc (float[1,3,128,96] input) => (float[1,JOINTS,192] simcc_x, float[1,JOINTS,256] simcc_y)
{
  std = Constant <value = float[1,3,1,1] {58.395, 57.12, 57.375}> ()
  mean = Constant <value = float[1,3,1,1] {123.675, 116.28, 103.53}> ()
  full = Constant <value = float {255.0}> ()
  spread = Mul (input, std)
  bytes = Add (spread, mean)
  shares = Div (bytes, full)
  which = Constant <value = int64[JOINTS] {WHICH}> ()
  joints = Gather <axis = 1> (shares, which)
  column = ReduceMax <axes = [2], keepdims = 0> (joints)
  row = ReduceMax <axes = [3], keepdims = 0> (joints)
  twice = Constant <value = float[3] {1.0, 1.0, 2.0}> ()
  simcc_x = Resize <MODE> (column, , twice)
  simcc_y = Resize <MODE> (row, , twice)
}
"""
#: 64 x 64 images to two people and a third of low score; all scores grow with blue.
RTMO = """
<ir_version: 8, opset_import: ["": 17]>
rtmo (float[1,3,64,64] input) => (float[1,3,5] dets, float[1,3,17,3] keypoints)
{
  along = Constant <value = int64[1] {3}> ()
  first = Constant <value = int64[1] {0}> ()
  last = Constant <value = int64[1] {1}> ()
  channel = Constant <value = int64[1] {1}> ()
  blue = Slice (input, first, last, channel)
  brightness = ReduceMean <axes = [1, 2, 3], keepdims = 0> (blue)
  full = Constant <value = float {255.0}> ()
  sure = Div (brightness, full)
  boxes = Constant <value = float[1,3,4] {4.0, 8.0, 20.0, 40.0, 30.0, 8.0, 60.0, 60.0,
                                          0.0, 0.0, 9.0, 9.0}> ()
  scores = Constant <value = float[1,3,1] {0.9, 0.8, 0.1}> ()
  surer = Mul (scores, sure)
  dets = Concat <axis = 2> (boxes, surer)
  corner = Constant <value = float[1,3,1,2] {4.0, 8.0, 30.0, 8.0, 0.0, 0.0}> ()
  grow = Constant <value = float[1,1,17,1] {GROW}> ()
  places = Add (corner, grow)
  ones = Sub (places, places)
  one = Constant <value = float {1.0}> ()
  certain = Add (ones, one)
  half = Slice (certain, first, last, along)
  keypoints = Concat <axis = 3> (places, half)
}
"""


def save(text, path, joints=17):
    which = ", ".join(str(i % 3) for i in range(joints))
    grow = ", ".join(f"{i}.0" for i in range(17))
    text = text.replace("MODE", 'mode = "linear", coordinate_transformation_mode = "asymmetric"')
    text = text.replace("JOINTS", str(joints)).replace("WHICH", which).replace("GROW", grow)
    onnx.save(onnx.parser.parse_model(text), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    onnx.parser = pytest.importorskip("onnx.parser")
    folder = tmp_path_factory.mktemp("rtm")
    save(RTMPOSE, folder / "rtmpose.onnx")
    save(RTMPOSE, folder / "halpe.onnx", joints=26)
    save(RTMPOSE, folder / "seven.onnx", joints=7)
    save(RTMO, folder / "rtmo.onnx")
    return folder


PLACES = np.array([[210.3, 90.2], [180.6, 150.7], [225.1, 199.4]])


class TestRtmpose:
    def test_joints_of_detected_people(self, folder):
        """Red, green and blue blobs; blue is the network's first channel."""
        boxes = BoxDetector((170, 80, 240, 210))
        detector = plugin.Detector(folder / "rtmpose.onnx", person_detector=boxes)
        (person,) = detector(blobs(PLACES))
        assert detector.skeleton == "coco_17"
        expected = PLACES[2 - np.arange(17) % 3]
        np.testing.assert_allclose(person.keypoints, expected, atol=1.5)
        assert (person.confidence > 0.8).all() and person.score <= 1

    def test_no_person(self, folder):
        detector = plugin.Detector(folder / "rtmpose.onnx", person_detector=BoxDetector())
        assert detector(blobs(PLACES)) == []

    def test_joint_formats(self, folder):
        halpe = plugin.Detector(
            folder / "halpe.onnx", person_detector=BoxDetector((170, 80, 240, 210))
        )
        assert halpe.skeleton == "halpe_26" and len(halpe(blobs(PLACES))[0].keypoints) == 26
        with pytest.raises(ValueError, match="7 joints of an unknown format"):
            plugin.Detector(folder / "seven.onnx", person_detector=BoxDetector())
        (folder / "rtmpose.toml").write_text("skeleton = 'mpii_16'")
        with pytest.raises(ValueError, match="17 joints, but mpii_16 has 16"):
            plugin.Detector(folder / "rtmpose.onnx", person_detector=BoxDetector())
        (folder / "rtmpose.toml").write_text("people = 'yolox.onnx'")
        with pytest.raises(ValueError, match="no such file: .*yolox.onnx"):
            plugin.Detector(folder / "rtmpose.onnx")
        (folder / "rtmpose.toml").unlink()

    def test_yolox_detects_the_people(self, folder):
        """An exported YOLOX with non-maximum suppression: boxes and scores."""
        text = """
            <ir_version: 8, opset_import: ["": 17]>
            yolox (float[1,3,200,200] input) => (float[1,2,5] dets) {
              dets = Constant <value = float[1,2,5] {85.0, 40.0, 120.0, 105.0, 0.9,
                                                     0.0, 0.0, 20.0, 20.0, 0.1}> ()
            }"""
        save(text, folder / "yolox.onnx")
        (folder / "halpe.toml").write_text("people = 'yolox.onnx'")
        detector = plugin.Detector(folder / "halpe.onnx", max_people=3)
        (folder / "halpe.toml").unlink()
        (person,) = detector(blobs(PLACES))  # 400 pixels wide: boxes are doubled
        np.testing.assert_allclose(person.keypoints, PLACES[2 - np.arange(26) % 3], atol=1.5)


class TestRtmo:
    @pytest.fixture
    def blue(self):
        """Return a blue image, twice as wide as high: half as large in the network."""
        image = np.zeros((64, 128, 3), np.uint8)
        image[..., 2] = 255
        return image

    def test_several_people(self, folder, blue):
        people = plugin.Detector(folder / "rtmo.onnx", max_people=5)(blue)
        assert [person.person for person in people] == [0, 1]
        corners = sorted(person.box[:2].tolist() for person in people)
        np.testing.assert_allclose(corners, [[8.5, 16.5], [60.5, 16.5]])
        assert all(person.keypoints.shape == (17, 2) for person in people)
        assert len(plugin.Detector(folder / "rtmo.onnx")(blue)) == 1

    def test_no_person(self, folder, blue):
        assert plugin.Detector(folder / "rtmo.onnx")(blue[..., ::-1]) == []  # red

    def test_tracked_people_come_first(self, folder, blue):
        detector = plugin.Detector(folder / "rtmo.onnx")
        detector._previous = [np.array([60.0, 16.0, 94.0, 50.0])]
        (person,) = detector(blue, track=True)
        assert person.box[0] == pytest.approx(60.5)
        detector.reset()
        assert detector._previous == []


class TestErrors:
    def test_unknown_model(self):
        with pytest.raises(ValueError, match="unknown model rtmpose-huge; .*rtmpose-lightweight"):
            plugin.Detector("rtmpose-huge")
        with pytest.raises(ValueError, match="max_people=0"):
            plugin.Detector(max_people=0)

    def test_other_graph(self, tmp_path):
        text = """
            <ir_version: 8, opset_import: ["": 17]>
            other (float[1,3,8,8] input) => (float[1,3,8,8] same) { same = Identity (input) }"""
        with pytest.raises(ValueError, match="boxes .* of RTMO"):
            plugin.Detector(save(text, tmp_path / "other.onnx"))

    def test_failed_download(self, monkeypatch):
        import rtmlib

        def unreachable(**_):
            raise OSError("no route to host")

        monkeypatch.setattr(rtmlib, "Body", unreachable)
        with pytest.raises(ValueError, match="download .* rtmo-balanced .no route to host"):
            plugin.Detector("rtmo-balanced")

    def test_models_by_name(self, folder, monkeypatch):
        """As rtmlib creates them once the files are downloaded."""
        import rtmlib

        def body(pose, mode, backend):
            assert (pose, mode, backend) == ("rtmo", "lightweight", "onnxruntime")
            tool = rtmlib.RTMO(str(folder / "rtmo.onnx"), model_input_size=(64, 64))
            return SimpleNamespace(pose_model=tool, one_stage=True)

        monkeypatch.setattr(rtmlib, "Body", body)
        detector = plugin.Detector("rtmo-lightweight", max_people=2, threads=1)
        image = np.zeros((64, 64, 3), np.uint8)
        image[..., 2] = 255
        assert len(detector(image)) == 2
