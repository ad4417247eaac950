"""A home folder that cannot be read: commands work without it, or say what to set."""

import os
import shutil
import subprocess
import sys

import pytest
from helpers.paths import ROOT
from PIL import Image

#: Removes the right of an administrator to read everything.
SETPRIV = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"
LINES = """
import sys
from camerapose.cli.main import main
keypoints, image, out, weights = sys.argv[1:]
print(main(["predict", keypoints, "-o", out, "--no-figure", "--weights", weights]))
print(main(["predict", image, "-o", out]))
print(main(["data", "prepare", "synthetic", "--set", "n=100"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_unreadable_home(graph, tmp_path):
    home, image = tmp_path / "home", tmp_path / "photo.png"
    home.mkdir()
    home.chmod(0)
    Image.new("RGB", (64, 48)).save(image)
    prefix = SETPRIV.split() if os.geteuid() == 0 else []
    if prefix and not shutil.which("setpriv"):
        pytest.skip("no setpriv to give up the rights of an administrator")
    unset = ("CAMERAPOSE_CACHE", "CAMERAPOSE_DEBUG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    sample = ROOT / "src/camerapose/samples/demo_keypoints.npz"
    done = subprocess.run(
        [*prefix, sys.executable, "-c", LINES, sample, image, tmp_path / "out", graph],
        env=environment | {"HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    home.chmod(0o700)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    statuses = [line for line in done.stdout.splitlines() if line.isdigit()]
    assert statuses == ["0", "2", "2"], done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 2
    assert all("permission denied" in line and "set CAMERAPOSE_CACHE" in line for line in lines)
    assert (tmp_path / "out" / "poses.json").exists() and not list(home.iterdir())
