"""Nothing is sent to other computers, and nothing is stored without being asked for."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.training import SMALL
from helpers.watch import STRACE, watch
from PIL import Image

import camerapose
from camerapose.core import privacy
from camerapose.io.assets import ASSETS, cache_dir
from camerapose.train import config_io

SAMPLE = ROOT / "src/camerapose/samples/demo_keypoints.npz"
#: Folders in which dependencies keep a cache: fonts and this package's models.
EXPECTED = ("cache/matplotlib/", "config/matplotlib/", "cache/camerapose/")


def check(access):
    assert not access.remote, "\n".join(access.remote)
    assert [path for path in access.created if not path.startswith(EXPECTED)] == []


def test_variables_are_set_before_dependencies_are_imported():
    """Importing any part of the package is enough, whatever the environment contains."""
    code = (
        "import sys, os, camerapose.core.poses\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "print(*(os.environ[name] for name in sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *privacy.SETTINGS], capture_output=True, text=True, check=True,
        env=os.environ | dict.fromkeys(privacy.SETTINGS, "0"),
    )  # fmt: skip
    assert done.stdout.split() == list(privacy.SETTINGS.values())


def test_every_import_of_onnxruntime_is_without_telemetry():
    """Only one function imports it, which also switches events off by the API."""
    source = Path(camerapose.__file__).parent
    files = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "import onnxruntime" in path.read_text().replace("def import_onnxruntime", "")
    }
    assert files == {"io/runtime.py"}


@pytest.mark.skipif(not STRACE, reason="native code is only observed with strace")
def test_the_observation_detects_native_connections(tmp_path):
    """A name lookup of the C library is a connection to a name server."""
    code = "import _socket\ntry: _socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"
    access = watch(tmp_path, "-S", "-c", code)
    assert access.traced
    if Path("/etc/resolv.conf").exists():
        assert access.remote


def test_prediction_from_keypoints(tmp_path):
    check(watch(tmp_path, "-m", "camerapose", "predict", SAMPLE, "-o", tmp_path / "out",
                "--report", "--export", "trc", "c3d", "bvh", "gltf", "csv"))  # fmt: skip
    assert (tmp_path / "out/poses.json").exists()


@pytest.mark.slow
def test_prediction_from_images(tmp_path):
    models = [name for name in ASSETS if name.endswith(".tflite")]
    if not all((cache_dir() / name).exists() for name in models):
        pytest.skip("requires the models of blazepose in the cache")
    Image.new("RGB", (320, 240), "white").save(tmp_path / "photo.png")
    code = f"import camerapose; camerapose.predict({str(tmp_path / 'photo.png')!r}, 'out')"
    access = watch(tmp_path, "-c", code, CAMERAPOSE_CACHE=str(cache_dir()))
    access.created = [path for path in access.created if not path.startswith("home/out/")]
    check(access)


@pytest.mark.slow
def test_training(tmp_path):
    pytest.importorskip("torch")
    config = config_io.update(config_io.read(ROOT / "configs/smoke.toml"), SMALL, "test")
    (tmp_path / "small.toml").write_text(config_io.to_toml(config))
    check(watch(tmp_path, "-m", "camerapose", "train", tmp_path / "small.toml",
                "-o", tmp_path / "run"))  # fmt: skip
    assert (tmp_path / "run/checkpoint/model.onnx").exists()


SERVE = """
import urllib.request
from camerapose.infer.options import PredictOptions
from camerapose.server.limits import ServerLimits
from camerapose.server.serve import open_page
from gradio_client import Client

options = PredictOptions(weights={graph!r}, threads=1)
with open_page("127.0.0.1", {port}, options, ServerLimits()) as address:
    assert b"camerapose" in urllib.request.urlopen(address).read()
    api = Client(address, verbose=False).view_api(return_format="dict")
    assert "/predict" in api["named_endpoints"]
"""


@pytest.mark.slow
def test_serving(tmp_path, graph):
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    check(watch(tmp_path, "-c", SERVE.format(port=port, graph=str(graph))))


BATCH = """
from camerapose.infer.batch import predict_each
from camerapose.infer.options import PredictOptions

results = predict_each({path!r}, {out!r}, PredictOptions(figure=False), engine="ray", workers=1)
assert [r.state for r in results] == ["done"], results
"""


@pytest.mark.slow
def test_workers(tmp_path):
    """Processes of Ray."""
    pytest.importorskip("ray", reason='no Ray: pip install "camerapose[scale]"')
    code = BATCH.format(path=str(SAMPLE), out=str(tmp_path / "out"))
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # names of sockets have 107 characters
        access = watch(tmp_path, "-c", code, RAY_TMPDIR=short)
    access.created.remove("home/.ray/auth_token")  # a secret that its processes share
    check(access)
