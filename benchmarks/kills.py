"""Kill commands at random times (SIGKILL), and check what they left.

    python benchmarks/kills.py --kills 200 --out runs/kills

After each kill, every file with a final name must be complete, and what the command had reported as
written must exist. A visitor of a killed web server must have received a complete result or none,
and the next server must delete the files of the killed one. At the end, each command is run to its
end: it must succeed, leave no temporary files and, where it is deterministic, write what an
undisturbed run writes. Each kill is one line in OUT/kills.jsonl; a repeated call continues.
"""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import small_inputs
import tyro
from PIL import Image

import camerapose
from camerapose.core.poses import Poses
from camerapose.data import store
from camerapose.io.assets import asset
from camerapose.io.source import Source

#: Start of the names of private temporary folders: uploads, and Gradio's default folder.
PREFIX = "camerapose-"
KEYPOINTS = Path(camerapose.__file__).parent / "samples" / "demo_keypoints.npz"
CONFIG = Path(__file__).parents[1] / "configs" / "smoke.toml"
#: How often each command is killed, relative to the others, and its usual seconds.
COMMANDS = {
    "predict": (9, 5.0), "local": (8, 6.0), "prepare": (6, 4.0), "train": (7, 14.0),
    "adapt": (5, 9.0), "export": (5, 6.0), "ray": (4, 20.0), "web": (8, 5.0),
}  # fmt: skip
INPUTS = 12
#: Seconds within which a web server answers, even on a busy computer.
START_SECONDS = 300.0
#: Numbers of commands whose times tell how busy the computer is, and its largest factor.
RECENT, SLOWEST = 5, 15.0
#: Files that were complete after an earlier kill, with their times.
_CHECKED: set[tuple[Path, int]] = set()


def arguments(name: str, folder: Path, seed: int) -> list[str]:
    """Return the arguments of `camerapose`."""
    out = str(folder / "out")
    if name == "predict":
        formats = ["csv", "trc", "c3d", "bvh", "gltf"]
        return ["predict", str(KEYPOINTS), "-o", out, "--report", "--export", *formats]
    if name in ("local", "ray"):
        engine = ["--engine", name, *(["--workers", "2"] if name == "ray" else [])]
        again = ["--again"] if seed % 3 == 0 else []
        return ["predict", str(folder / "in" / "*"), "-o", out, "--no-figure", *engine, *again]
    if name == "prepare":
        return ["data", "prepare", "synthetic", "--set", "n=40000", f"seed={seed}"]
    if name == "train":
        return ["train", str(CONFIG), "-o", out]
    if name == "adapt":
        people = str(folder / "people.npz")
        return ["adapt", people, "-o", out, "--steps", "20", "--seed", str(seed)]
    if name == "export":
        return ["export", "human36m", "-o", str(folder / "out" / "model.onnx")]
    return ["serve", "--port", str(port_of(seed)), "--threads", "1", "--model", "full"]


def port_of(seed: int) -> int:
    """Return the port of a web server."""
    return 7970 + seed % 20


def prepare(name: str, folder: Path, small: int = 0, videos: int = 0) -> None:
    """Create the inputs of a command; with many small ones for the engines."""
    for part in ("in", "out", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    if name in ("local", "ray"):
        for i in range(INPUTS):
            shutil.copyfile(KEYPOINTS, folder / "in" / f"walk{i:02d}.npz")
        small_inputs.write_keypoints(folder / "in", small, Poses.load(KEYPOINTS))
        if videos:
            small_inputs.write_videos(folder / "in", videos)
    if name == "adapt":
        from camerapose.data.datasets import synthetic

        people = synthetic.load(n=300, seed=1)
        Poses(people.skeleton, people.pose2d, people.confidence, image_size=people.image_size,
              labels={"image": np.array([f"{i // 2}.jpg" for i in range(300)])}
              ).save(folder / "people.npz")  # fmt: skip


class Ended(NamedTuple):
    """What a command did.

    Attributes:
        status: exit status; None if it was ended.
        output: what it printed.
        wrong: what is wrong with a result of the web page.
        phase: what the web page was doing when it was ended.
    """

    status: int | None
    output: str
    wrong: list[str]
    phase: str


def run(
    name: str, folder: Path, seed: int, seconds: float | None, end: int = signal.SIGKILL
) -> Ended:
    """Run a command; end it and all its processes after some seconds.

    Of the servers of the web page, one in four is ended these seconds after its start, the others
    these seconds after they have answered.

    Args:
        end: signal that ends it.
    """
    environment = os.environ | {
        "CAMERAPOSE_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp"),
        "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    if name == "web":  # models of the detector
        environment.pop("CAMERAPOSE_CACHE")
    output, visitor, phase = folder / "output.txt", None, ""
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "camerapose", *arguments(name, folder, seed)],
            stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            if name == "web" and seconds is not None:
                visitor = Visitor(folder, port_of(seed), seconds, starting=seed % 4 == 0)
            status = process.wait(0.01 if visitor else seconds)
        except subprocess.TimeoutExpired:
            phase = visitor.phase if visitor else ""
            os.killpg(process.pid, end)
            process.wait()
            status = None
    wrong = visitor.problems() if visitor else []
    return Ended(status, output.read_text(errors="replace"), wrong, phase)


class Visitor:
    """Uploads a photo of a person and asks for poses, as far as the server has got until a time.

    Args:
        folder: of the command.
        port: of the server.
        seconds: time after which waiting for the result ends.
        starting: whether the time begins now, or when the server answers.
    """

    def __init__(self, folder: Path, port: int, seconds: float, *, starting: bool):
        from gradio_client import Client, handle_file

        self._client: Any = None
        self._job: Any = None
        self._wrong: list[str] = []
        self.phase = "starting"
        until = time.monotonic() + (seconds if starting else START_SECONDS)
        image = folder / "in" / "photo.png"
        if not image.exists():
            frame = next(Source.open(asset("demo.mp4")).frames(start=70, end=71)).image
            Image.fromarray(frame).save(image)
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            return
        self.phase = "opening the page"
        until = until if starting else time.monotonic() + seconds
        if len(list((folder / "tmp").glob(f"{PREFIX}*"))) != 2:
            self._wrong.append("files of a killed server were left")
        try:
            self._client = Client(f"http://127.0.0.1:{port}", verbose=False,
                                  download_files=str(folder / "got"))  # fmt: skip
            self._job = self._client.submit(handle_file(image), 1, 0, False, api_name="/predict")
            self.phase = "predicting"
            self._job.result(timeout=max(until - time.monotonic(), 0.01))
            self.phase = "result received"
        except Exception:  # no time left, or the server is not ready
            time.sleep(max(until - time.monotonic(), 0))

    def problems(self) -> list[str]:
        """Return what is wrong with the result, if one has arrived; close the page."""
        try:
            files = self._job.result(timeout=60)[3]
        except Exception:  # the server was killed before
            return self._wrong
        finally:
            if self._client is not None:
                self._client.close()
        archive, *others = map(Path, files["value"])
        with zipfile.ZipFile(archive) as content:
            if content.testzip() or {p.name for p in others} != set(content.namelist()):
                self._wrong.append(f"{archive.name} is incomplete")
        self._wrong += [f"{p.name} is incomplete" for p in others if not is_complete(p)]
        return self._wrong


# --- checks -------------------------------------------------------------------------------------


def _trc(path: Path) -> bool:
    lines = path.read_text().splitlines()
    names, values = lines[1].split("\t"), lines[2].split("\t")
    return int(dict(zip(names, values, strict=False))["NumFrames"]) == len(
        [line for line in lines[6:] if line.strip()]
    ) or int(values[2]) == len([line for line in lines[5:] if line.strip()])


def _bvh(path: Path) -> bool:
    head, _, motion = path.read_text().partition("MOTION\n")
    lines = motion.splitlines()
    return bool(head) and int(lines[0].split()[1]) == len(lines) - 2


def _npz(path: Path) -> bool:
    with np.load(path) as file:
        return all(file[name] is not None for name in file.files)


def _image(path: Path) -> bool:
    with Image.open(path) as image:
        image.load()
    return True


def _state(path: Path) -> bool:
    import torch

    return bool(torch.load(path, weights_only=True, map_location="cpu"))


def _weights(path: Path) -> bool:
    from safetensors.numpy import load_file

    return bool(load_file(path))


def _graph(path: Path) -> bool:
    from camerapose.io.runtime import onnx_session

    return bool(onnx_session(path, threads=1).get_outputs())


COMPLETE: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_text()) is not None,
    ".npz": _npz, ".png": _image, ".pt": _state, ".safetensors": _weights, ".onnx": _graph,
    ".trc": _trc, ".bvh": _bvh, ".html": lambda path: path.read_text().rstrip().endswith("</html>"),
    ".toml": lambda path: path.read_text().endswith("\n"),
}  # fmt: skip


def is_complete(path: Path) -> bool:
    """Return whether a file can be read, as far as its format has a check."""
    try:
        return bool(COMPLETE.get(path.suffix, lambda path: path.stat().st_size > 0)(path))
    except Exception:
        return False


def problems(name: str, folder: Path, output: str) -> list[str]:
    """Return what is wrong after a kill."""
    out, found = folder / "out", []
    hidden = re.compile(r"(^|/)\.")
    # os.walk: workers of a killed Ray go on for a moment, their hidden files come and go.
    files = (Path(root) / name for root, _, names in os.walk(out) for name in names)
    for path in sorted(p for p in files if not hidden.search(p.relative_to(out).as_posix())):
        inside = path.relative_to(out).as_posix()
        state = path, path.stat().st_mtime_ns
        if path.suffix in COMPLETE and state not in _CHECKED:
            if is_complete(path):
                _CHECKED.add(state)
            else:
                found.append(f"{inside} is incomplete")
    for line in re.findall(r"^wrote (\S+(?:, \S+)*)(?: \(.*\))?$", output, re.MULTILINE):
        found += [f"{p} was reported" for p in line.split(", ") if not Path(p).exists()]
    for done in out.glob("*/done.json"):
        sizes = json.loads(done.read_text())["files"]
        found += [
            f"{done.parent.name}/{file} has another size" for file, size in sizes.items()
            if not (done.parent / file).exists() or (done.parent / file).stat().st_size != size
        ]  # fmt: skip
    for finished in re.findall(r"^\d+/\d+ (\S+): \d+ poses", output, re.MULTILINE):
        kept = [out / finished, out / f".{finished}.old", out / f".{finished}.part"]
        if not any((place / "done.json").exists() for place in kept):
            found.append(f"{finished} was reported as finished")
    for entry in (folder / "cache" / "datasets").glob("synthetic-*"):
        if re.fullmatch(r"synthetic-[0-9a-f]+", entry.name) and not store.is_complete(entry):
            found.append(f"{entry.name} in the cache is incomplete")
    return found


def finish(name: str, folder: Path, seed: int) -> list[str]:
    """Run a command to its end after all kills; return what is wrong."""
    if name == "web":
        shutil.rmtree(folder / "got", ignore_errors=True)
        _, output, found, _ = run(name, folder, seed, 600, signal.SIGTERM)
        if not (folder / "got").exists():
            found.append(f"no result: {output[-300:]}")
        return found + [f"{p.name} was left" for p in (folder / "tmp").glob(f"{PREFIX}*")]
    status, output, *_ = run(name, folder, 3 * seed + 1, None)  # not with --again
    found = problems(name, folder, output)
    if status:
        found.append(f"status {status}: {output[-300:]}")
    left = [p.name for p in (folder / "out").rglob(".*") if not p.name.endswith(".lock")]
    found += [f"{file} was left" for file in left]
    if any((folder / "in").glob("small*")):
        found += [f"{name} has a wrong result" for name in small_inputs.wrong_results(folder)]
    elif name in ("predict", "local", "ray"):
        fresh = folder.with_name(f"{name}-undisturbed")
        prepare(name, fresh)
        run(name, fresh, 1, None)
        for path in sorted((fresh / "out").rglob("poses.json")):
            other = folder / "out" / path.relative_to(fresh / "out")
            if not other.exists() or other.read_bytes() != path.read_bytes():
                found.append(f"{other} differs from an undisturbed run")
    return found


def main(
    kills: int = 200,
    out: Path = Path("runs/kills"),
    seed: int = 0,
    commands: tuple[str, ...] = tuple(COMMANDS),
    slowness: float | None = None,
    small: int = 0,
    videos: int = 0,
) -> None:
    """Kill commands.

    Args:
        kills: number of kills.
        out: working folder.
        seed: of the choice of commands and times.
        commands: that are killed.
        slowness: factor of the times, for a busy computer; None: measured.
        small, videos: number of additional small keypoint files and videos of the engines, in a new
            working folder; then no call predicts finished inputs again.
    """
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(out)  # Gradio's client leaves a folder there
    record = out / "kills.jsonl"
    done = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    rates = np.array([COMMANDS[name][0] for name in commands], float)
    recent: list[float] = []
    for i in range(len(done), kills):
        rng = np.random.default_rng([seed, i])
        name = str(rng.choice(list(commands), p=rates / rates.sum()))
        folder = out / name
        if not folder.exists():
            prepare(name, folder, small, videos)
        if name in ("train", "adapt") and rng.random() < 0.3:  # start again now and then
            shutil.rmtree(folder / "out")
            (folder / "out").mkdir()
        factor = slowness or float(np.clip(np.median(recent[-RECENT:] or [1]), 1, SLOWEST))
        seconds = factor * float(rng.uniform(0.3, COMMANDS[name][1]))
        began, used = time.monotonic(), _processor_seconds()
        status, output, found, phase = run(
            name, folder, 3 * i + 1 if small or videos else i, seconds
        )
        took = time.monotonic() - began
        if name not in ("ray", "web"):  # their other processes, and waiting, do not count
            recent.append(took / max(_processor_seconds() - used, 0.01))
        found += problems(name, folder, output)
        if status not in (None, 0):
            found.append(f"status {status}: {output[-300:]}")
        row = {"seed": seed, "kill": i, "command": name, "seconds": round(seconds, 2),
               "took": round(took, 2), "killed": status is None, "problems": found}  # fmt: skip
        row |= {"phase": phase} if phase else {}
        done.append(row)
        with record.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
    ends = {}
    for name in commands:
        if (out / name).exists():
            ends[name] = finish(name, out / name, kills)
            print(name, ends[name] or "complete", flush=True)
    summary = summarize(done, ends)
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


def _processor_seconds() -> float:
    """Return the processor time of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def summarize(rows: list[dict[str, Any]], ends: dict[str, list[str]]) -> dict[str, Any]:
    """Return numbers of kills and of problems.

    Args:
        rows: one for each kill.
        ends: what is wrong after each command was run to its end.
    """
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        end = row.get("phase") or ("killed" if row["killed"] else "ended before")
        of = counts.setdefault(row["command"], {})
        of[end] = of.get(end, 0) + 1
    return {
        "seeds": sorted({row["seed"] for row in rows}), "kills": len(rows), "commands": counts,
        "with_problems": sum(bool(row["problems"]) for row in rows), "at_the_end": ends,
    }  # fmt: skip


if __name__ == "__main__":
    tyro.cli(main)
