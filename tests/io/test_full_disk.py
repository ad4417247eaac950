"""Disks that become full: every writer reports it, names the file and leaves nothing behind."""

import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from helpers.clips import walk
from helpers.fakes import write_video
from helpers.paths import ROOT
from matplotlib.figure import Figure
from PIL import Image

from camerapose.data import store
from camerapose.io import export, results
from camerapose.io.source import Source
from camerapose.view.layout import save_figure

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")


@contextmanager
def space(size):
    """Let every file be at most `size` bytes, for C libraries too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def poses():
    clip = walk(frames=40)[0]
    size = np.tile(np.float32([[640, 480]]), (len(clip), 1))
    return replace(clip, refined2d=clip.pose2d, image_size=size)


def npz(poses, folder):
    poses.save(folder / "poses.npz")
    return folder / "poses.npz"


def json(poses, folder):
    results.write_json(poses, folder / "poses.json")
    return folder / "poses.json"


def exported(suffix):
    def write(poses, folder):
        return export.write(poses, folder / f"poses{suffix}")[0]

    return write


def figure(poses, folder):
    drawn = Figure()
    drawn.subplots().plot([1, 2])
    return save_figure(drawn, folder / "figure.png")


def report(poses, folder):
    from camerapose.view.report import write_report

    return write_report(poses, folder / "report.html", "walk")


def overlay(poses, folder):
    from camerapose.view.overlay import write_overlay

    video = folder.parent / "walk.mp4"
    if not video.exists():
        write_video(video, 40)
    return write_overlay(poses, Source.open(video), folder / "overlay.mp4", progress=False)


def stored(poses, folder):
    store.write(poses, folder / "prepared", {})
    return folder / "prepared"


def joined(poses, folder):
    part = folder.parent / "part"
    if not part.exists():
        store.write(poses, part, {})
    store.join([part, part], folder / "prepared", {})
    return folder / "prepared"


def checkpoint(poses, folder):
    torch = pytest.importorskip("torch")
    from camerapose.train.checkpoint import write_state

    write_state({"weights": torch.zeros(5000)}, folder / "training.pt")
    return folder / "training.pt"


WRITERS = {
    "npz": npz, "json": json, "figure": figure, "report": report, "overlay": overlay,
    "store": stored, "join": joined, "training.pt": checkpoint,
    **{suffix: exported(suffix) for suffix in (".csv", ".trc", ".c3d", ".bvh", ".glb")},
}  # fmt: skip
#: Bytes at the end of a file that no reader needs, or that another encoding may not need.
UNUSED = {".c3d": 512, "overlay": 2000}


def largest(path):
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return max(p.stat().st_size for p in files)


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_at_many_byte_counts(name, poses, tmp_path):
    write, folder = WRITERS[name], tmp_path / "out"
    folder.mkdir()
    path = write(poses, folder)
    full = largest(path) - UNUSED.get(name, 0)
    shutil.rmtree(folder)
    folder.mkdir()
    counts = {0, 1, full // 2, full - 1, full - 600, full - 100, full - 10}
    counts |= set(np.random.default_rng(0).integers(0, full, 8).tolist())
    for count in sorted(c for c in counts if c >= 0):
        with space(count), pytest.raises(OSError) as caught:
            write(poses, folder)
        assert list(folder.iterdir()) == [], f"{count} of {full} bytes"
        assert "\n" not in str(caught.value)
    assert write(poses, folder).exists()


def test_interrupted_overwriting_keeps_the_previous_file(poses, tmp_path):
    for name in ("npz", "json", ".c3d", ".bvh", "overlay"):
        path = WRITERS[name](poses, tmp_path)
        before = path.read_bytes()
        with space(len(before) // 2), pytest.raises(OSError, match=path.name):
            WRITERS[name](poses, tmp_path)
        assert path.read_bytes() == before


@pytest.fixture
def small_disk(tmp_path):
    """Mount small file systems of given sizes; requires root."""
    mounted = []

    def mount(kilobytes):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]
        if subprocess.run(["mount", *options], capture_output=True).returncode:
            pytest.skip("cannot mount a file system")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_on_small_disks(name, poses, tmp_path, small_disk):
    """A file system without space, as opposed to a limit for one file."""
    write = WRITERS[name]
    (tmp_path / "size").mkdir()
    full = write(poses, tmp_path / "size")
    total = sum(p.stat().st_size for p in [full, *full.rglob("*")] if p.is_file())
    for share in (0.1, 0.5, 0.8, 0.95):
        folder = small_disk(max(8, int(total * share / 1024)))
        try:
            path = write(poses, folder)
        except OSError as error:
            assert list(folder.iterdir()) == [] and "\n" not in str(error)
        else:  # pages are larger than the rest, and an encoded video may differ
            assert largest(path) >= 0.99 * largest(full) - UNUSED.get(name, 0)


@pytest.mark.parametrize("count", [100, 3000, 20000, 60000])
def test_command_reports_a_full_disk(count, tmp_path, graph):
    """Status 2, one line, and no incomplete file."""
    sample = ROOT / "src/camerapose/samples/demo_keypoints.npz"
    command = ["predict", str(sample), "-o", str(tmp_path / "out"), "--weights", str(graph)]
    code = (
        "import resource, sys\n"
        "from camerapose.cli.main import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({count}, -1))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *command, "--export", "c3d", "bvh"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: cannot write")
    left = list((tmp_path / "out").glob("*"))
    assert not [path for path in left if path.name.startswith(".") or not path.stat().st_size]


def test_images_are_not_confused_with_full_disks(tmp_path):
    """Reading does not depend on space."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with space(0):
        assert Source.open(tmp_path / "a.png").info() is not None
