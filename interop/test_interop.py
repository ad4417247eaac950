"""Exported files of the sample clip in the programs that read them; `make test-interop` runs it."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import camerapose
from camerapose.core.joint_formats import H36M_23
from camerapose.infer.options import PredictOptions
from camerapose.infer.postprocess import process
from camerapose.io.export import tracks, write
from camerapose.io.source import Source

HERE = Path(__file__).parent
#: Contains the environments bpy and opensim, node_modules, and the model of Pose2Sim.
INTEROP = Path(os.environ.get("INTEROP", HERE.parent / ".interop"))
MODEL = "Model_Pose2Sim_simple.osim"
FPS = 30.0
#: Formats that Blender reads: BVH, FBX converted from it, glTF and USD.
FORMATS = 4


@pytest.fixture(scope="module")
def people():
    """The people of the sample keypoints, by identity, and their floor, as with --ground."""
    keypoints = str(files("camerapose") / "samples" / "demo_keypoints.npz")
    poses = camerapose.predict(keypoints, fps=FPS, smooth=0.0)
    frames = poses.labels["frame"], poses.labels["time"]
    options = PredictOptions(ground=True, smooth=1.0)
    poses, ground = process(poses, Source.open(keypoints), frames, options, lambda _: None)
    return poses.to(H36M_23), ground  # the joints of motion files


@pytest.fixture(scope="module")
def folder(people, tmp_path_factory):
    folder, (poses, ground) = tmp_path_factory.mktemp("files"), people
    motion = tracks(poses, ground=ground)
    names = {f"person_{number}": track.points for number, track in motion.items()}
    joints = np.array(poses.skeleton.joints)
    fps = next(iter(motion.values())).fps
    np.savez(folder / "joints.npz", joints=joints, fps=fps, **names)
    for name in ("person.bvh", "person.mot", "person.ik.xml", "people.glb", "people.usdc"):
        write(poses, folder / name, ground=ground)
    write(poses, folder / "gaps_person.trc", ground=ground)
    return folder


def result(command, **options):
    """Run a script and return the JSON that it prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return json.loads(lines[-1].removeprefix("RESULT "))


def test_blender(people, folder):
    """Upright, in time, at the positions of the poses; nobody is below the floor."""
    python = INTEROP / "bpy" / "bin" / "python"
    found = result([str(python), str(HERE / "blender.py"), str(folder)])
    motion = tracks(people[0])[0]
    assert len(found) == FORMATS * len(np.unique(people[0].labels["person"]))
    for name, values in found.items():
        assert values["deviation"] < 0.005, name
        if name.endswith(".bvh"):
            assert values["fps"] == pytest.approx(motion.fps, abs=0.01)
            assert values["frames"] == len(motion.points) and not values["zero_length"]
            assert min(values["lowest"]) > -0.01, name
        elif not name.endswith(".fbx"):
            assert values["meshes"] == 1
    assert min(found["person_0.bvh"]["lowest"]) > 1.5  # stands on a ledge


def test_opensim(folder):
    """TRC with gaps is read; inverse kinematics agrees with the joint angles.

    Person 1 walks. Person 0 raises the arms, where angles of the shoulder are not unique.
    """
    shutil.copy(INTEROP / MODEL, folder)
    python = INTEROP / "opensim" / "bin" / "python"
    found = result([str(python), str(HERE / "opensim_tools.py"), str(folder), "person_0"])
    assert found["solved"] and found["rows"] > 30
    legs = {k: v for k, v in found["differences"].items() if k.startswith(("knee", "hip"))}
    assert len(legs) == 6 and max(legs.values()) < 4, legs
    late = result([str(python), str(HERE / "opensim_tools.py"), str(folder), "person_1"])
    assert late["missing"] > 0 and late["rows"] == found["rows"] and late["solved"]
    assert max(late["differences"].values()) < 4, late["differences"]
    assert max(late["differences"][f"knee_angle_{side}"] for side in "lr") < 2


def test_gltf_validator(folder):
    command = ["node", str(HERE / "validate.mjs"), str(folder / "people.glb")]
    found = result(command, cwd=INTEROP)
    assert found["issues"]["messages"] == [] and found["skins"]


@pytest.mark.skipif(not shutil.which("chromium"), reason="requires chromium")
@pytest.mark.parametrize("page", ["model-viewer", "three"])
def test_browser(folder, page):
    """The people are visible, and there are no errors."""
    shutil.copy(HERE / f"{page}.html", folder)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(INTEROP / "node_modules")
    image, errors = screenshot(folder, f"{page}.html")
    assert not errors
    background = image[2, 2].astype(int)
    changed = np.abs(image.astype(int) - background).sum(-1) > 60
    assert changed.mean() > 0.005


def screenshot(folder, page):
    """Return an image of a page when its `window.ready` is set, and the errors it reports."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("headless=new", "no-sandbox", "use-angle=swiftshader", "window-size=800,600",
                     "enable-unsafe-swiftshader", "disable-dev-shm-usage"):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser.get(f"http://127.0.0.1:{server.server_port}/{page}")
        until = time.monotonic() + 60
        while not browser.execute_script("return window.ready") and time.monotonic() < until:
            time.sleep(0.5)
        assert browser.execute_script("return window.ready"), browser.get_log("browser")
        time.sleep(2)
        image = np.asarray(Image.open(BytesIO(browser.get_screenshot_as_png())).convert("RGB"))
        errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        return image, [entry for entry in errors if "favicon" not in entry["message"]]
    finally:
        browser.quit()
        server.shutdown()
