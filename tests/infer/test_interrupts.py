"""Ctrl-C while results are written, and two processes that use one folder."""

import json
import signal

import pytest
from helpers.fakes import write_video
from helpers.prediction import run

from camerapose.cli.main import main
from camerapose.core.poses import Poses
from camerapose.infer import outputs, pipeline
from camerapose.infer.batch import predict_each
from camerapose.infer.interrupts import delayed_interrupt
from camerapose.infer.options import PredictOptions
from camerapose.io.locks import FolderInUse, lock_folder
from camerapose.view import overlay


@pytest.fixture(autouse=True)
def default_handler():
    """Ctrl-C raises KeyboardInterrupt, also if the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_first_interrupt_is_delayed():
    lines, finished = [], False
    with pytest.raises(KeyboardInterrupt), delayed_interrupt(lines.append):
        interrupt()
        finished = True
    assert finished and "press Ctrl-C again" in lines[0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_second_interrupt_is_immediate():
    finished = False
    with pytest.raises(KeyboardInterrupt), delayed_interrupt(lambda line: None):
        interrupt()
        interrupt()
        finished = True
    assert not finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_exceptions_pass():
    with pytest.raises(ValueError, match="own"), delayed_interrupt(lambda line: None):
        raise ValueError("own")


@pytest.mark.usefixtures("detector")
class TestPrediction:
    @pytest.fixture
    def video(self, tmp_path):
        return write_video(tmp_path / "walk.mp4")

    def test_interrupt_while_lifting_keeps_the_poses(self, video, graph, tmp_path, monkeypatch):
        lift = pipeline.lift
        monkeypatch.setattr(pipeline, "lift", lambda *a: (interrupt(), lift(*a))[1])
        with pytest.raises(KeyboardInterrupt):
            run(video, tmp_path / "out", graph, export=["csv"])
        assert {p.name for p in (tmp_path / "out").iterdir()} == {"poses.npz", "poses.json"}
        assert len(Poses.load(tmp_path / "out/poses.npz")) == 20

    def test_interrupt_while_drawing_keeps_what_is_complete(
        self, video, graph, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(overlay, "_draw_person", lambda *a: interrupt())
        with pytest.raises(KeyboardInterrupt):
            run(video, tmp_path / "out", graph, export=["csv"], overlay=True)
        assert {p.name for p in (tmp_path / "out").iterdir()} == {
            "poses.npz", "poses.json", "walk.csv",
        }  # fmt: skip

    def test_second_interrupt_while_writing(self, video, graph, tmp_path, monkeypatch):
        """The first one ends reading, the second one is delayed until the poses are written."""
        read = pipeline._detect_all

        def interrupted(*arguments):
            from dataclasses import replace

            return replace(read(*arguments), error=KeyboardInterrupt())

        write = outputs.results.write_json
        monkeypatch.setattr(pipeline, "_detect_all", interrupted)
        monkeypatch.setattr(outputs.results, "write_json", lambda *a: (interrupt(), write(*a))[1])
        with pytest.raises(KeyboardInterrupt):
            run(video, tmp_path / "out", graph, report=True)
        assert json.loads((tmp_path / "out/poses.json").read_text())
        assert {p.name for p in (tmp_path / "out").iterdir()} == {"poses.npz", "poses.json"}

    def test_folder_in_use(self, video, graph, tmp_path, capsys):
        (tmp_path / "out").mkdir()
        with lock_folder(tmp_path / "out"):
            with pytest.raises(FolderInUse, match="choose another folder"):
                run(video, tmp_path / "out", graph)
            with pytest.raises(FolderInUse):
                predict_each(video, tmp_path / "out", PredictOptions(weights=graph))
            command = ["predict", str(video), "-o", str(tmp_path / "out"), "--weights", str(graph)]
            assert main(command) == 2
        assert "is in use by another process" in capsys.readouterr().err
        assert list((tmp_path / "out").iterdir()) == []
