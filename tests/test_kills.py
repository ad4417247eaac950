"""Commands that are killed while they write; benchmarks/kills.py does so at random times."""

import os
import signal
import subprocess
import sys

from helpers.paths import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import kills

#: Kills itself when a number of files have got their final names.
KILLED = """
import os, signal, sys
from camerapose.cli.main import main
rename, count = os.replace, 0
def replace(*arguments):
    global count
    if count == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
    rename(*arguments)
os.replace = replace
sys.exit(main(sys.argv[2:]))
"""


def test_killed_prediction_leaves_complete_files_and_can_be_repeated(graph, tmp_path):
    out = tmp_path / "out"
    command = ["predict", str(kills.KEYPOINTS), "-o", str(out), "--no-figure", "--export", "trc",
               "--weights", str(graph)]  # fmt: skip
    for after, last in ((0, False), (1, False), (99, True)):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(after), *command],
            env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == (0 if last else -signal.SIGKILL), done.stderr
        assert not kills.problems("predict", tmp_path, done.stdout)
        named = [path for path in out.glob("*") if not path.name.startswith(".")]
        assert last or len(named) == after
    assert {"poses.json", "poses.npz"} <= {path.name for path in named}
    assert not [path for path in out.rglob(".*") if not path.name.endswith(".lock")]
