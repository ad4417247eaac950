"""The command line: exit statuses, one-line errors, and help."""

import dataclasses
import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.fakes import PERSON, SIZE, Detector, write_video
from PIL import Image

import camerapose
from camerapose import Predictor
from camerapose.cli.main import COMMANDS, main
from camerapose.cli.parsing import parse
from camerapose.cli.predict import predict
from camerapose.cli.train import _assignment, train
from camerapose.infer.options import PredictOptions


@pytest.fixture
def man(tmp_path):
    path = tmp_path / "man.png"
    Image.new("RGB", SIZE, "white").save(path)
    return path


@pytest.fixture
def command(graph, tmp_path, capsys):
    """Return a function that runs `camerapose predict`: exit status and stderr."""

    def run(path, *options, out="out", weights=graph):
        out = tmp_path / out
        status = main(["predict", str(path), "--out", str(out), "--weights", str(weights),
                           "--threads", "1", *options])  # fmt: skip
        return status, capsys.readouterr().err

    return run


@pytest.fixture
def bad(tmp_path, command):
    """Return a function that predicts invalid input; it returns the one-line error."""

    def run(name, *options, content=None, **more):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        status, message = command(path, *options, **more)
        errors = [line for line in message.splitlines() if line.startswith("error: ")]
        assert status == 2 and len(errors) == 1, message
        assert "Traceback" not in message
        return errors[0]

    return run


EVERY_COMMAND = [
    *([name] for name in COMMANDS.commands if name != "data"),
    *(["data", name] for name in COMMANDS.commands["data"].commands),
]


class TestPredict:
    def test_image(self, detector, command, man, tmp_path):
        assert command(man) == (0, "")
        assert (tmp_path / "out" / "man_poses.png").exists()

    def test_no_figure(self, detector, command, man, tmp_path):
        assert command(man, "--no-figure") == (0, "")
        assert not list((tmp_path / "out").glob("*.png"))

    def test_openpose_json(self, command, tmp_path):
        body = np.zeros((25, 3))
        body[:, 2] = 0.8
        for place, joint in ((2, 6), (3, 8), (4, 10), (5, 5), (6, 7), (7, 9), (9, 12), (10, 14),
                             (11, 16), (12, 11), (13, 13), (14, 15), (0, 0)):  # fmt: skip
            body[place, :2] = PERSON[joint]
        body[1, :2], body[8, :2] = PERSON[[5, 6]].mean(0), PERSON[[11, 12]].mean(0)
        content = {"people": [{"pose_keypoints_2d": body.ravel().tolist()}]}
        (tmp_path / "a_000000000003_keypoints.json").write_text(json.dumps(content))
        status, _ = command(
            tmp_path / "a_000000000003_keypoints.json", "--image-size", "640", "480"
        )
        assert status == 0

    def test_no_person_is_status_1(self, detector, command, tmp_path, capsys):
        Image.new("RGB", SIZE, "black").save(tmp_path / "night.png")
        assert command(tmp_path / "night.png")[0] == 1


class TestBadInput:
    def test_missing_file(self, bad):
        assert "no file or folder" in bad("absent.mp4")

    def test_text_named_mp4(self, bad):
        assert "cannot be read as a video" in bad("a.mp4", content=b"no video\n" * 100)

    def test_empty_video(self, bad):
        assert "is empty" in bad("a.mp4", content=b"")

    def test_truncated_video(self, detector, bad, tmp_path):
        whole = write_video(tmp_path / "walk.mkv", 40).read_bytes()
        message = bad("cut.mkv", content=whole[: len(whole) // 2])
        assert "damaged or truncated" in message
        assert (tmp_path / "out" / "poses.json").exists()

    def test_corrupt_npz(self, bad):
        assert "not an .npz" in bad("a.npz", content=b"PK\x03\x04 and no more")

    def test_unrelated_pickle(self, bad):
        message = bad("a.pkl", content=b"\x80\x04N.")
        assert ".pkl" in message and "JSON" in message

    def test_unknown_detector(self, bad, man):
        assert "blazepose, heatmap" in bad("man.png", "--detector", "blaze")

    def test_unknown_skeleton(self, bad):
        people = b'[{"image_id": 1, "keypoints": [1, 2, 3], "score": 1}]'
        assert "known are" in bad("a.json", "--skeleton", "coco", content=people)

    def test_wrong_joint_count(self, bad):
        people = b'[{"image_id": 1, "keypoints": [120, 200, 0.9], "score": 1}]'
        assert "got 1 joints" in bad("a.json", content=people)

    def test_unwritable_folder(self, detector, bad, man, tmp_path):
        (tmp_path / "file").touch()
        message = bad("man.png", out="file")
        assert "output folder" in message and "choose another" in message

    def test_full_disk(self, detector, bad, man, monkeypatch):
        def full(file):
            raise OSError(errno.ENOSPC, "No space left on device", str(file.path))

        monkeypatch.setattr("camerapose.io.files.AtomicFile._commit", full)
        assert "no space left on device: " in bad("man.png")

    def test_no_weights(self, bad, man, tmp_path):
        assert "no weights at" in bad("man.png", weights=tmp_path / "absent.onnx")

    def test_graph_of_another_skeleton(self, bad, man, make_graph):
        assert "its skeleton coco_17" in bad("man.png", weights=make_graph(skeleton="coco_17"))

    def test_ctrl_c(self, detector, command, man, monkeypatch):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(Detector, "__call__", interrupt)
        status, message = command(man)
        assert status == 130 and message.startswith("error: interrupted")

    def test_person_outside_the_image_is_reported(self, command, graph, tmp_path, capsys):
        with pytest.warns(UserWarning):
            poses = Predictor(graph)(PERSON + 2000, image_size=SIZE)
        poses.save(tmp_path / "a.npz")
        arguments = ["predict", str(tmp_path / "a.npz"), "--out", str(tmp_path / "out")]
        assert main([*arguments, "--weights", str(graph)]) == 0
        assert "1 pose completely outside the image" in capsys.readouterr().out


class TestTraining:
    def test_reader_of_the_output_has_ended(self):
        """As in `camerapose --help | head -1`: no message, but a status."""
        code = "import sys; from camerapose.cli.main import main; sys.exit(main(['--help']))"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141

    def test_missing_torch_names_the_extra_to_install(self, monkeypatch, capsys, tmp_path):
        for name in (
            "torch",
            "camerapose.train.trainer",
            "camerapose.evaluate.run",
            "camerapose.models.onnx_export",
        ):
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, "torch", None)
        (tmp_path / "a.toml").touch()
        status = main(["train", str(tmp_path / "a.toml"), "--out", str(tmp_path / "out")])
        assert status == 2 and 'pip install "camerapose[train]"' in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("item", "assignment"),
        [
            ("joint.epochs=3", ({"joint": {"epochs": 3}}, True)),
            ("data.mpii=/data/mpii", ({"data": {"mpii": "/data/mpii"}}, True)),
            ("data.mpii=false", ({"data": {"mpii": False}}, True)),
            ("arguments={width=3}", ({"arguments": {"width": 3}}, False)),
        ],
    )
    def test_set(self, item, assignment):
        assert _assignment(item) == assignment

    def test_set_without_a_value(self):
        with pytest.raises(ValueError, match="KEY=VALUE"):
            _assignment("joint.epochs")


class TestHelp:
    def test_help_needs_no_torch(self):
        code = (
            "import sys; from camerapose.cli.main import main\n"
            "main(['--help'])\n"
            "heavy = {'torch', 'onnxruntime', 'matplotlib', 'av'} & set(sys.modules)\n"
            "sys.exit(', '.join(heavy) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "camerapose predict photo.jpg -o result" in done.stdout

    def test_help_has_one_line_per_command(self, capsys):
        assert main(["--help"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) <= 30 and max(map(len, lines)) <= 100
        for name in COMMANDS.commands:
            assert len([line for line in lines if line.startswith(f"  {name} ")]) == 1

    @pytest.mark.parametrize("command", EVERY_COMMAND, ids=" ".join)
    def test_every_command_has_help_with_an_example(self, command, capsys):
        assert main([*command, "--help"]) == 0
        text = capsys.readouterr().out
        assert f"camerapose {' '.join(command)}" in text.partition("\n")[2]
        assert "--out" not in text or "-o" in text

    def test_data_lists_its_commands(self, capsys):
        assert main(["data"]) == main(["data", "--help"]) == 0
        assert capsys.readouterr().out.count("  prepare ") == 2

    @pytest.mark.parametrize("module", ["camerapose", "camerapose.cli"])
    def test_version(self, module):
        done = subprocess.run(
            [sys.executable, "-m", module, "--version"], capture_output=True, text=True
        )
        assert done.stdout.strip() == f"camerapose {camerapose.__version__}"


class TestInvalidArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["predikt", "a.png"], "unknown command 'predikt', did you mean 'predict'?"),
            (["--verison"], "unknown option '--verison'"),
            (["data", "chek"], "unknown command 'chek', did you mean 'check'?"),
            (
                ["predict", "a.png", "--ouput", "b"],
                "unknown option '--ouput', did you mean '--out'?",
            ),
            (["predict", "a.png", "-o", "b", "--max_poeple", "1"], "did you mean '--max-people'?"),
            (["predict", "a.png", "-o", "b", "--no-grund"], "did you mean '--no-ground'?"),
            (["predict", "a.png"], "missing from camerapose predict: -o PATH, --out PATH"),
            (["predict", "a.png", "-o", "b", "--start", "x"], "--start: expected INT, got 'x'"),
            (["predict", "a.png", "-o", "b", "--max-people", "x"], "expected INT, got 'x'"),
            (["figure", "plot", "a", "-o", "b.png"], "invalid choice 'plot'"),
            (["figure", "gallery", "a", "-o", "b.txt"], "suffix '.txt'"),
            (["export", "a", "-o", "b.pt"], "suffix '.pt'"),
            (["adapt", "a.json", "-o", "b", "--held-out", "1.5"], "--held-out is 1.5"),
            (["train", "a.toml", "-o", "b", "--set", "epochs"], "KEY=VALUE"),
        ],
    )
    def test_one_line_and_status_2(self, arguments, message, capsys):
        assert main(arguments) == 2
        output = capsys.readouterr()
        assert message in output.err and output.err.count("\n") == 1 and not output.out


def test_every_option_of_predict_reaches_it(monkeypatch):
    given = []
    monkeypatch.setattr(
        "camerapose.infer.pipeline.predict", lambda *arguments, log: given.append(arguments) or [1]
    )
    arguments = ["--overlay", "--export", "trc", "bvh", "--image-size", "64", "48", "--no-figure"]
    assert main(["predict", "a.mp4", "--out", "b", *arguments]) == 0
    ((source, out, options),) = given
    assert (source, out) == ("a.mp4", Path("b"))
    assert options == PredictOptions(
        overlay=True, export=("trc", "bvh"), image_size=(64, 48), figure=False
    )


def test_every_option_of_predict_has_help(capsys):
    assert main(["predict", "--help"]) == 0
    text = capsys.readouterr().out
    for option in dataclasses.fields(PredictOptions):
        assert f"--{option.name.replace('_', '-')}" in text


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["--export", "csv", "--export", "bvh"], ["csv", "bvh"]),
        (["--export=csv", "-o", "result", "--export", "bvh", "trc"], ["csv", "bvh", "trc"]),
        (["--export", "csv", "bvh", "--max-people", "2", "--export", "csv"], ["csv", "bvh"]),
    ],
)
def test_repeated_list_options_are_combined(arguments, expected):
    out = [] if "-o" in arguments else ["-o", "result"]
    call = parse(predict, "camerapose predict", ["walk.mp4", *out, *arguments])
    assert list(call.keywords["options"].export) == expected
    assert call.keywords["options"].max_people == (2 if "--max-people" in arguments else 1)


def test_repeated_settings_are_combined():
    arguments = ["configs/quick.toml", "--set", "a=1", "-o", "run", "--set", "b=2"]
    call = parse(train, "camerapose train", arguments)
    assert call.keywords["set"] == ("a=1", "b=2")
