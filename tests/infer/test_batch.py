"""Prediction of many inputs: every input is predicted once, with either engine."""

import json
import os
import shutil
import sys
from functools import wraps
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.fakes import PERSON, SIZE, Deadly, Detector, write_video

from camerapose import Poses
from camerapose.cli.main import main
from camerapose.core import plugins
from camerapose.core.camera import normalize
from camerapose.core.joint_formats import COCO_17
from camerapose.infer import batch_engines, batch_task
from camerapose.infer.batch import predict_each
from camerapose.infer.batch_task import DONE
from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict
from camerapose.io.locks import lock_folder

NAMES = ("a.npz", "b.npz", "c.npz")


def people(path, n=3, shift=0.0):
    """Write keypoints of a few people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = np.tile(np.array(SIZE, float), (n, 1))
    points = PERSON + shift + np.arange(n)[:, None, None]
    Poses(COCO_17, normalize(points, size), np.ones((n, 17)), image_size=size).save(path)
    return path


@pytest.fixture
def inputs(tmp_path):
    for i, name in enumerate(NAMES):
        people(tmp_path / "in" / name, shift=5 * i)
    return str(tmp_path / "in" / "*.npz")


@pytest.fixture
def each(inputs, graph, tmp_path):
    """Return a function that predicts each input; results without seconds."""

    def run(given=inputs, out=tmp_path / "out", engine="local", workers=None, again=False,
            log=lambda _: None, **options):  # fmt: skip
        batch_task._loaded_detector.cache_clear()
        chosen = PredictOptions(**{"weights": graph, "figure": False} | options)
        results = predict_each(
            given, out, chosen, engine=engine, workers=workers, again=again, log=log
        )
        return [result._replace(seconds=0.0) for result in results]

    return run


def states(results):
    return [result.state for result in results]


def times(out):
    return {p.relative_to(out): p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}


def contents(out):
    """Return the contents of all files, without the time stamps in zip files."""
    results = {}
    for path in sorted(out.rglob("*")):
        if path.suffix == ".npz" and path.is_file():
            with np.load(path) as columns:
                results[path.relative_to(out)] = {k: columns[k].tolist() for k in columns.files}
        elif path.is_file():
            results[path.relative_to(out)] = path.read_bytes()
    return results


class TestLocal:
    def test_one_folder_per_input(self, each, tmp_path):
        lines = []
        results = each(log=lines.append)
        assert [o.name for o in results] == list(NAMES)
        assert all(o.state == "done" and o.poses == 3 for o in results)
        assert lines[0] == "3 inputs" and lines[3].startswith("3/3 c.npz: 3 poses in ")
        for name in NAMES:
            folder = tmp_path / "out" / name
            assert {p.name for p in folder.iterdir()} == {"poses.npz", "poses.json", DONE}
            assert len(Poses.load(folder / "poses.npz")) == 3
        assert not list((tmp_path / "out").glob(".*"))

    def test_detector_is_loaded_once(self, each, tmp_path, monkeypatch):
        """Not for each video; what it keeps of a video is forgotten before the next."""
        loaded, reset = [], []

        class Counting(Detector):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                loaded.append(options["max_people"])

            def reset(self):
                reset.append(self.max_people)

        load = plugins.load
        monkeypatch.setattr(plugins, "load", lambda kind, name: SimpleNamespace(
            Detector=Counting) if name == "blazepose" else load(kind, name))  # fmt: skip
        (tmp_path / "videos").mkdir()
        for name in "abc":
            write_video(tmp_path / "videos" / f"{name}.mp4", 3)
        results = each(str(tmp_path / "videos" / "*"), max_people=3)
        assert [result.poses for result in results] == [9] * 3
        assert loaded == [3] and reset == [3] * 3

    def test_finished_inputs_are_skipped(self, each, tmp_path):
        each()
        before, lines = times(tmp_path / "out"), []
        results = each(log=lines.append)
        assert states(results) == ["finished"] * 3 and [o.poses for o in results] == [3] * 3
        assert times(tmp_path / "out") == before
        assert lines == ["3 inputs, 3 already finished"]

    def test_changes_that_require_a_new_prediction(self, each, inputs, make_graph, tmp_path):
        each()
        people(Path(inputs).with_name("b.npz"), n=4)
        assert states(each()) == ["finished", "done", "finished"]
        assert states(each(threads=1)) == ["finished"] * 3
        assert states(each(smooth=2.0)) == ["done"] * 3
        assert states(each(smooth=2.0, max_people=1)) == ["finished"] * 3  # that is the default
        other = make_graph(units="others")
        assert states(each(smooth=2.0, weights=other)) == ["done"] * 3
        assert states(each(smooth=2.0, weights=other, again=True)) == ["done"] * 3

    def test_a_failure_does_not_stop_the_others(self, each, inputs, tmp_path):
        broken = Path(inputs).with_name("b.npz")
        broken.write_bytes(b"no zip")
        lines = []
        results = each(log=lines.append)
        assert states(results) == ["done", "failed", "done"] and "b.npz" in results[1].error
        assert lines[2] == f"2/3 b.npz failed: {results[1].error}"
        assert not (tmp_path / "out" / "b.npz").exists()
        people(broken)
        assert states(each()) == ["finished", "done", "finished"]

    def test_partial_results_of_a_failure_are_kept(self, each, tmp_path, monkeypatch):
        @wraps(predict)
        def half(path, out, options, **settings):
            Path(out, "poses.json").write_text("some")
            raise ValueError("broken in the middle")

        with monkeypatch.context() as patch:
            patch.setattr(batch_task, "predict", half)
            assert states(each()) == ["failed"] * 3
        assert [p.name for p in (tmp_path / "out" / "a.npz").iterdir()] == ["poses.json"]
        assert states(each()) == ["done"] * 3

    def test_an_interruption_leaves_no_folder(self, each, tmp_path, monkeypatch):
        @wraps(predict)
        def interrupted(path, out, options, **settings):
            poses = predict(path, out, options, **settings)
            if Path(path).name == "b.npz":
                raise KeyboardInterrupt
            return poses

        with monkeypatch.context() as patch:
            patch.setattr(batch_task, "predict", interrupted)
            with pytest.raises(KeyboardInterrupt):
                each()
        assert (tmp_path / "out" / "a.npz" / DONE).exists()
        assert not (tmp_path / "out" / "b.npz").exists()
        assert states(each()) == ["finished", "done", "done"]
        assert not list((tmp_path / "out").glob(".*"))

    def test_folders_of_killed_runs_are_removed(self, each, tmp_path):
        """Also those of inputs that are finished, or no longer asked for."""
        out = tmp_path / "out"
        each()
        for name in ("a.npz", "gone.npz", "deeper/x.npz"):
            part = (out / name).with_name(f".{Path(name).name}.part")
            part.mkdir(parents=True)
            (part / batch_task.STARTED).write_text("[]")
            (part / "poses.json").write_text("some")
            part.with_name(f".{Path(name).name}.lock").write_text("process 1")
        (out / ".mine.part").mkdir()
        (out / ".mine.part" / "notes.txt").write_text("not from a run")
        assert states(each()) == ["finished"] * 3
        assert [path.name for path in out.rglob(".*")] == [".mine.part"]

    @pytest.mark.parametrize("again", [False, True])
    def test_folders_of_live_processes_are_kept(self, each, tmp_path, again):
        out = tmp_path / "out"
        part = out / ".gone.npz.part"
        part.mkdir(parents=True)
        (part / batch_task.STARTED).write_text("[]")
        with lock_folder(out, name=".gone.npz.lock"):
            each(again=again)
            assert part.exists()
        each(again=again)
        assert not part.exists()

    def test_killed_while_results_are_replaced(self, each, tmp_path, monkeypatch):
        """The old results, or the new ones, are in place after the next run."""
        out = tmp_path / "out"
        each()
        before = (out / "a.npz" / "poses.json").read_text()
        rename, count = os.rename, 0

        def killed(source, target):
            nonlocal count
            count += 1
            if count == 2:
                raise KeyboardInterrupt
            rename(source, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "rename", killed)
            each(again=True)
        assert not (out / "a.npz").exists()
        assert states(each()) == ["finished"] * 3
        assert (out / "a.npz" / "poses.json").read_text() == before
        assert not list(out.rglob(".*"))

    def test_a_failure_keeps_complete_results(self, each, tmp_path, monkeypatch):
        @wraps(predict)
        def half(path, out, options, **settings):
            Path(out, "poses.json").write_text("some")
            raise ValueError("broken in the middle")

        each()
        with monkeypatch.context() as patch:
            patch.setattr(batch_task, "predict", half)
            assert states(each(again=True)) == ["failed"] * 3
        assert states(each()) == ["finished"] * 3

    def test_damaged_markers(self, each, tmp_path):
        each()
        for name, text in zip(NAMES, ("", "[]", '{"poses": 3}'), strict=True):
            (tmp_path / "out" / name / DONE).write_text(text)
        assert states(each()) == ["done"] * 3

    def test_damaged_results(self, each, tmp_path):
        """Sizes are compared with those in done.json."""
        each()
        os.truncate(tmp_path / "out" / NAMES[0] / "poses.npz", 100)
        (tmp_path / "out" / NAMES[1] / "poses.json").unlink()
        assert states(each()) == ["done", "done", "finished"]

    def test_results_that_cannot_be_moved(self, each, tmp_path, monkeypatch):
        def full(folder):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(batch_task, "flush_folder", full)
            assert states(each()) == ["failed"] * 3
        assert states(each()) == ["done"] * 3


class TestNames:
    def test_subfolders(self, each, tmp_path):
        for path in ("in/x/a.npz", "in/y/a.npz"):
            people(tmp_path / path)
        results = each(str(tmp_path / "in" / "**" / "*.npz"))
        assert [o.name for o in results] == [*NAMES, "x/a.npz", "y/a.npz"]
        assert (tmp_path / "out" / "y" / "a.npz" / DONE).exists()

    def test_paths(self, each, tmp_path):
        given = [tmp_path / "in" / name for name in NAMES[:2]]
        assert [o.name for o in each(given)] == list(NAMES[:2])
        assert [o.name for o in each(given[0], tmp_path / "one")] == ["a.npz"]

    def test_duplicate_names(self, each, tmp_path):
        given = [people(tmp_path / folder / "a.npz") for folder in "xy"]
        with pytest.raises(ValueError, match=r"same name a\.npz; use one pattern"):
            each(given)

    def test_missing(self, each, tmp_path):
        for given in ("nothing*.npz", "nothing.npz"):
            with pytest.raises(FileNotFoundError, match="nothing"):
                each(str(tmp_path / given))

    def test_folder_of_keypoint_files(self, each, tmp_path):
        keypoints = {"people": [{"pose_keypoints_2d": np.c_[PERSON, np.ones(17)].ravel().tolist()}]}
        folder = tmp_path / "clips" / "one"
        folder.mkdir(parents=True)
        for i in range(2):
            (folder / f"{i}_keypoints.json").write_text(json.dumps(keypoints))
        options = {"image_size": SIZE, "skeleton": "coco_17"}
        assert [o.poses for o in each(str(tmp_path / "clips" / "*"), **options)] == [2]
        assert states(each(str(tmp_path / "clips" / "*"), **options)) == ["finished"]
        (folder / "2_keypoints.json").write_text(json.dumps(keypoints))
        assert [o.poses for o in each(str(tmp_path / "clips" / "*"), **options)] == [3]


class TestErrors:
    def test_engine(self, each):
        with pytest.raises(ValueError, match="unknown engine 'spark'; known are local, ray"):
            each(engine="spark")

    def test_workers(self, each):
        with pytest.raises(ValueError, match="workers is 0; require 1 or more"):
            each(workers=0)

    def test_setting(self, each):
        with pytest.raises(TypeError, match="colour"):
            each(colour="red")

    def test_without_ray_the_extra_is_named(self, each, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(ValueError, match=r"camerapose\[scale\]"):
            each(engine="ray")


class TestCommand:
    @pytest.fixture
    def command(self, inputs, graph, tmp_path):
        fixed = ["--out", str(tmp_path / "out"), "--weights", str(graph), "--no-figure"]
        return ["predict", inputs, *fixed]

    def test_engine(self, command, capsys):
        assert main([*command, "--engine", "local"]) == 0
        assert "3/3 c.npz: 3 poses" in capsys.readouterr().out
        assert main([*command, "--engine", "local"]) == 0
        assert "3 already finished" in capsys.readouterr().out
        assert main([*command, "--engine", "local", "--again"]) == 0
        assert "3/3 c.npz: 3 poses" in capsys.readouterr().out

    def test_failures(self, command, inputs, capsys):
        Path(inputs).with_name("b.npz").write_bytes(b"no zip")
        assert main([*command, "--engine", "local"]) == 2
        assert "1 of 3 inputs failed: b.npz" in capsys.readouterr().err

    def test_options_require_an_engine(self, command, capsys):
        assert main([*command, "--again"]) == 2
        assert "require --engine local or" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["", "head:6379"])
def test_ray_that_does_not_start(address, monkeypatch):
    """Ray gives up after 30 seconds on a busy computer, with a plain exception."""

    def init(**settings):
        raise Exception("The current node timed out during startup.\nDetails")

    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(OSError, match=r"does not start .*timed out.*--engine local") as caught:
        batch_engines.start_ray(SimpleNamespace(init=init), 1)
    assert "\n" not in str(caught.value) and address in str(caught.value)


# --- Ray, on this machine with two workers


@pytest.fixture(scope="module")
def ray():
    pytest.importorskip("ray")
    pytest.importorskip("pyarrow")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        ray = batch_engines.import_ray()
        batch_engines.start_ray(ray, 2)
        yield ray
        ray.shutdown()


def test_ray_is_restricted_to_this_machine(ray):
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.slow
def test_ray_equals_local_after_a_killed_worker(ray, each, tmp_path):
    lives = tmp_path / "lives"
    lives.write_bytes(b"x")
    local, parallel = tmp_path / "local", tmp_path / "parallel"
    expected = each(out=local, height=1.75, threads=1)
    results = each(out=parallel, height=Deadly(1.75, str(lives)), threads=1, engine="ray")
    assert lives.stat().st_size == 0, "no worker was killed"
    assert results == expected
    assert contents(parallel) == contents(local) and len(contents(local)) == 9

    before = times(parallel)
    shutil.rmtree(parallel / "b.npz")
    again = each(out=parallel, height=1.75, threads=1, engine="ray")
    assert states(again) == ["finished", "done", "finished"]
    after = times(parallel)
    assert {p for p in before if before[p] != after[p]} == {
        Path("b.npz", name) for name in ("poses.npz", "poses.json", DONE)
    }
    assert contents(parallel) == contents(local)


@pytest.mark.slow
def test_input_that_kills_every_worker_fails(ray, each, inputs, tmp_path):
    lives = tmp_path / "lives"
    lives.write_bytes(b"x" * 100)
    given = Path(inputs).with_name("a.npz")
    results = each(given, height=Deadly(1.75, str(lives)), engine="ray")
    assert states(results) == ["failed"] and "worker was lost 3 times" in results[0].error
    assert lives.stat().st_size == 97
    lives.write_bytes(b"")
    assert states(each(given, height=1.75)) == ["done"]
    assert not list((tmp_path / "out").glob(".*"))
