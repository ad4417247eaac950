"""The page: what it takes, gives, refuses and deletes; through Gradio's client and in a browser."""

import builtins
import json
import os
import shutil
import socket
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import fakes
from helpers.fakes import SIZE, write_video
from PIL import Image

from camerapose.core import plugins
from camerapose.server import page as serve
from camerapose.server.page import Desk, Limits, opened

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
#: What the sandbox of a test machine needs, and nothing in the background.
FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
         "--disable-background-networking --disable-component-update "
         "--use-angle=swiftshader --enable-unsafe-swiftshader --window-size=1280,1400")  # fmt: skip


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "upload" / "man.png"
    path.parent.mkdir()
    Image.new("RGB", SIZE, "white").save(path)
    return path


@pytest.fixture
def desk(detector, graph, tmp_path):
    def make(**limits):
        options = dict(weights=graph, detector="blazepose", model="auto", threads=1)
        return Desk(tmp_path, options, Limits(**limits))

    return make


class TestDesk:
    def test_photo(self, desk, photo):
        found = desk().look(str(photo))
        assert "1 pose" in found.words and "wrote" not in found.words
        assert found.video is None and Path(found.picture).name == "man_poses.png"
        assert found.view.startswith("<iframe") and "Plotly" in found.view
        names = [Path(file).name for file in found.files]
        assert names[0] == "camerapose.zip"
        assert {"poses.json", "poses.trc", "poses.bvh", "poses.glb", "poses.c3d"} <= set(names)
        assert set(zipfile.ZipFile(found.files[0]).namelist()) >= set(names[1:])

    def test_video(self, desk, tmp_path):
        found = desk().look(str(write_video(tmp_path / "walk.mkv")))
        assert Path(found.video).name == "overlay.mp4" and found.picture is None

    def test_what_the_visitor_knows_reaches_predict(self, desk, photo):
        found = desk().look(str(photo), people=2, height=1.5)
        file = next(file for file in found.files if file.endswith("poses.json"))
        people = json.loads(Path(file).read_text())["poses"]
        assert len(people) == 2 and ">1.50 m<" in found.view.replace("&lt;", "<").replace(
            "&gt;", ">"
        )

    def test_nobody(self, desk, photo):
        Image.new("RGB", SIZE, "black").save(photo)
        found = desk().look(str(photo))
        assert "Nobody was found" in found.words and not found.files and not found.view

    def test_long_video_is_cut_and_told(self, desk, tmp_path):
        path = str(write_video(tmp_path / "walk.mkv", 30))
        found = desk(seconds=1).look(path)
        assert "is 3 s long" in found.words and "10 frames" in found.words

    def test_damaged_video_is_used_as_far_as_it_goes(self, desk, tmp_path):
        whole = write_video(tmp_path / "walk.mkv", 40).read_bytes()
        cut = tmp_path / "cut.mkv"
        cut.write_bytes(whole[: len(whole) // 2])
        found = desk().look(str(cut))
        assert "**cut.mkv is damaged or truncated" in found.words and found.files

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///home/other/private.ts\n", "holds text"),
            ("a.mp4", b"\0\1\2\3" * 200, "cannot be read as a video"),
            ("a.mp4", b"", "the file is empty"),
            ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(99), "cannot be read as an image"),
            ("a.json", b"[]", "neither a photo nor a video"),
            ("a.txt", b"hello", "neither an image"),
        ],
    )
    def test_what_cannot_be_read(self, desk, tmp_path, name, content, said):
        path = tmp_path / name
        path.write_bytes(content)
        work = desk()
        with pytest.raises(ValueError, match=said) as error:
            work.look(str(path))
        assert str(tmp_path) not in work.without_folder(str(error.value))

    def test_limits(self, desk, photo, monkeypatch):
        with pytest.raises(ValueError, match="this page takes 0.0001 MB"):
            desk(megabytes=1e-4).look(str(photo))
        monkeypatch.setattr(serve, "MOST_PIXELS", 1000)
        with pytest.raises(ValueError, match="640 x 480 pixels"):
            desk().look(str(photo))

    def test_no_file_and_a_deleted_one(self, desk, photo):
        with pytest.raises(ValueError, match="Give a photo"):
            desk().look(None)
        photo.unlink()
        with pytest.raises(ValueError, match="upload it again"):
            desk().look(str(photo))

    def test_impossible_height_is_told_before_any_work(self, desk, photo, monkeypatch):
        monkeypatch.setattr(serve, "predict", None)
        with pytest.raises(ValueError, match="give metres"):
            desk().look(str(photo), height=175)

    def test_what_a_visitor_leaves_is_deleted(self, desk, photo, tmp_path):
        work = desk()
        mine = work.look(str(photo), visitor="me")
        other = tmp_path / "other" / "man.png"
        other.parent.mkdir()
        Image.new("RGB", SIZE, "white").save(other)
        theirs = work.look(str(other), visitor="them")
        work.forget("me")
        assert not photo.parent.exists() and not Path(mine.files[0]).exists()
        assert other.exists() and Path(theirs.files[0]).exists()

    def test_what_is_due_is_deleted(self, desk, photo, tmp_path):
        work = desk(keep_minutes=10)
        found = work.look(str(photo))
        young = tmp_path / "young"
        young.touch()
        for path in [photo, *map(Path, found.files)]:
            os.utime(path, (time.time() - 601,) * 2)
        work.sweep()
        assert young.exists() and not photo.exists()
        assert not any(Path(file).exists() for file in found.files)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [young]


def test_no_gradio(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "gradio":
            raise ModuleNotFoundError("No module named 'gradio'", name="gradio")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ValueError, match=r"needs gradio.*camerapose\[serve\]"):
        serve.serve()


# --- with Gradio --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(graph, tmp_path_factory):
    """The page with the stand-in detector: address, folder of uploads, and whom we called."""
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    called = []
    sys.addaudithook(lambda event, args: event == "socket.connect" and called.append(args[1]))
    load = plugins.load
    with pytest.MonkeyPatch.context() as patch, socket.socket() as free:
        patch.setattr(plugins, "load", lambda kind, name: SimpleNamespace(
            Detector=fakes.Detector) if name == "blazepose" else load(kind, name))  # fmt: skip
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("serve")))
        options = dict(weights=graph, detector="blazepose", model="auto", threads=1)
        with opened("127.0.0.1", port, options, Limits(megabytes=1)) as address:
            folder = Path(os.environ["GRADIO_TEMP_DIR"])
            yield SimpleNamespace(address=address, folder=folder, called=called)
    assert not folder.exists() and "GRADIO_TEMP_DIR" not in os.environ


@pytest.mark.filterwarnings("ignore:::gradio")
def test_through_gradio(server, photo, tmp_path):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(server.address, verbose=False, download_files=str(tmp_path / "got"))
    words, video, picture, files, view = client.predict(
        handle_file(photo), 1, 0, False, api_name="/predict"
    )
    assert "1 pose" in words["value"] and video["visible"] is False
    assert "iframe" in view["value"] and picture["visible"]
    names = {Path(file).name for file in files["value"]}
    assert {"camerapose.zip", "poses.json", "poses.bvh"} <= names
    text = tmp_path / "walk.mp4"
    text.write_text("no video")
    with pytest.raises(AppError, match="^walk.mp4 holds text, neither a photo nor a video"):
        client.predict(handle_file(text), 1, 0, False, api_name="/predict")
    assert server.called and {place[0] for place in server.called} <= {"127.0.0.1", "localhost"}


def test_a_port_that_is_taken(graph):
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(OSError, match=f"port {port}: the port is taken.*--port"),
            opened("127.0.0.1", port, {}, Limits()),
        ):
            pass


@pytest.fixture
def browser(tmp_path):
    """Headless Chromium that keeps downloads in `tmp_path`."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium and chromedriver on this machine")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(tmp_path / "downloads")}
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def wait(condition, what, seconds=60):
    """What `condition` gives once it is true."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return found


@pytest.mark.filterwarnings("ignore:::gradio")
def test_in_a_browser(server, browser, photo, tmp_path):
    """Upload, result, 3D, download, an error, and what stays behind."""

    from selenium import webdriver

    def seen(selector):
        return browser.find_elements("css selector", selector)

    def upload(path):
        wait(lambda: seen("#upload input[type=file]"), "the upload")[0].send_keys(str(path))
        wait(lambda: seen(f"#upload [aria-label='{path.name}']"), "the file's name")
        wait(lambda: seen("#run"), "the button")[0].click()

    browser.get(server.address)
    upload(photo)
    frame = wait(lambda: seen("#view iframe"), "the result")[0]
    assert "1 pose" in seen("#words")[0].text and seen("#picture img")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", frame)
    browser.switch_to.frame(frame)
    wait(lambda: seen(".gl-container canvas"), "the 3D view")
    eye = "return document.querySelector('.plotly-graph-div').layout.scene.camera.eye.x"
    assert browser.execute_script(eye) == pytest.approx(0.8)
    canvas = seen(".gl-container canvas")[0]
    webdriver.ActionChains(browser).drag_and_drop_by_offset(canvas, 80, 0).perform()
    wait(lambda: abs(browser.execute_script(eye) - 0.8) > 0.05, "the 3D to turn")
    browser.switch_to.default_content()

    wait(lambda: seen("#files a[download]"), "the files")[0].click()
    archive = tmp_path / "downloads" / "camerapose.zip"
    wait(archive.exists, "the download")
    assert "poses.bvh" in zipfile.ZipFile(archive).namelist()

    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\1\2\3" * 200)
    seen("#upload button[aria-label='Clear']")[0].click()
    upload(broken)
    told = wait(lambda: seen(".toast-body") and seen(".toast-body")[0].text, "the error")
    assert "broken.mp4 cannot be read as a video" in told and str(server.folder) not in told

    errors = [m["message"] for m in browser.get_log("browser") if m["level"] == "SEVERE"]
    # Gradio's page asks how an upload gets on, and a small one is over before it asks.
    assert not [error for error in errors if "upload_progress" not in error]
    events = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in events
             if event["method"] == "Network.requestWillBeSent"}  # fmt: skip
    inside = (server.address, "data:", "blob:", "chrome:", "chrome-untrusted:", "about:")
    assert not [url for url in asked if not url.startswith(inside)]

    browser.get("about:blank")
    wait(lambda: not list(server.folder.rglob("*.mp4")), "the upload's end")
    assert not list(server.folder.glob("of-*/*/camerapose.zip"))
