"""The web page: by Gradio's client and in a browser."""

import builtins
import http.client
import json
import os
import socket
import subprocess
import sys
import urllib.parse
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import fakes
from helpers.browser import chromium, errors, resize, wait

from camerapose.core import plugins
from camerapose.infer.options import PredictOptions
from camerapose.server.limits import ServerLimits
from camerapose.server.serve import open_page, serve


def test_no_gradio(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "gradio":
            raise ModuleNotFoundError("No module named 'gradio'", name="gradio")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ValueError, match=r"requires gradio.*camerapose\[serve\]"):
        serve(PredictOptions())


@pytest.fixture(scope="module")
def server(graph, tmp_path_factory):
    """Serve the page with the fake detector; yield address, upload folder and contacted hosts."""
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    contacted = []
    sys.addaudithook(lambda event, args: event == "socket.connect" and contacted.append(args[1]))
    load = plugins.load
    with pytest.MonkeyPatch.context() as patch, socket.socket() as free:
        patch.setattr(plugins, "load", lambda kind, name: SimpleNamespace(
            Detector=fakes.Detector) if name == "blazepose" else load(kind, name))  # fmt: skip
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("serve")))
        options = PredictOptions(weights=graph, threads=1)
        with open_page("127.0.0.1", port, options, ServerLimits(max_megabytes=1.0)) as address:
            folder = Path(os.environ["GRADIO_TEMP_DIR"])
            yield SimpleNamespace(address=address, folder=folder, contacted=contacted)
    assert not folder.exists() and "GRADIO_TEMP_DIR" not in os.environ


@pytest.mark.filterwarnings("ignore:::gradio")
def test_through_gradio(server, photo, tmp_path, capfd):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(server.address, verbose=False, download_files=str(tmp_path / "got"))
    summary, video, figure, files, report, name = client.predict(
        handle_file(photo), 1, 0, False, api_name="/predict"
    )
    assert "1 pose" in summary["value"] and video["visible"] is False
    assert "iframe" in report["value"] and figure["visible"] and len(name) == 32
    names = {Path(file).name for file in files["value"]}
    assert {"camerapose.zip", "poses.json", f"{Path(photo).stem}.bvh"} <= names
    text = tmp_path / "walk.mp4"
    text.write_text("no video")
    with pytest.raises(AppError, match="^walk.mp4 is a text file"):
        client.predict(handle_file(text), 1, 0, False, api_name="/predict")
    notes = tmp_path / "notes.txt"
    notes.write_text("neither an image nor a video")
    for file, people in ((notes, 1), (photo, 99), (photo, "many")):
        with pytest.raises(AppError):
            client.predict(handle_file(file), people, 0, False, api_name="/predict")
    printed = capfd.readouterr().err
    assert "Traceback" not in printed and printed.count("refused a request: ") == 3
    assert server.contacted and {place[0] for place in server.contacted} <= {
        "127.0.0.1",
        "localhost",
    }


@pytest.mark.filterwarnings("ignore:::gradio")
def test_upload_of_a_program_survives_another_session_with_the_same_file(server, photo, tmp_path):
    """A program registers its upload when the prediction starts, which may be much later."""
    import httpx
    from gradio_client import Client, handle_file

    def uploads():
        return {str(path) for path in server.folder.rglob(photo.name)}

    before = uploads()  # of sessions of other tests
    with photo.open("rb") as content:
        answer = httpx.post(f"{server.address}gradio_api/upload", files={"files": content})
    (mine,) = answer.json()
    other = Client(server.address, verbose=False, download_files=str(tmp_path / "other"))
    other.predict(handle_file(photo), 1, 0, False, api_name="/predict")
    other.close()
    wait(lambda: uploads() - before == {mine}, "the deletion")
    client = Client(server.address, verbose=False, download_files=str(tmp_path / "got"))
    upload = {"path": mine, "meta": {"_type": "gradio.FileData"}}
    assert "1 pose" in client.predict(upload, 1, 0, False, api_name="/predict")[0]["value"]
    client.close()
    wait(lambda: not Path(mine).exists(), "the deletion with its own session")


STUCK = """
import sys, time
import camerapose.server.serve
from camerapose.cli.main import main
from camerapose.server import jobs

camerapose.server.serve.load_detector = lambda *arguments, **options: None
port, weights, checks = sys.argv[1:]

def predict(source, out, options, *, log, check):
    out.mkdir(parents=True)
    print("predicting", flush=True)
    while True:
        time.sleep(0.05)
        if checks == "checks":
            check()

jobs.predict = predict
sys.exit(main(["serve", "--port", port, "--weights", weights, "--threads", "1"]))
"""


@pytest.mark.parametrize("checks", ["checks", "does not check"])
def test_stops_while_a_prediction_is_running(graph, photo, tmp_path, monkeypatch, checks):
    """SIGTERM ends it within seconds, also if the prediction does not notice."""
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    from gradio_client import Client, handle_file

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # Gradio's client leaves a folder
    environment = {k: v for k, v in os.environ.items() if k != "GRADIO_TEMP_DIR"}
    server = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(port), str(graph), checks],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment | {"TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    try:
        assert server.stdout is not None and "serving" in server.stdout.readline()
        client = Client(f"http://127.0.0.1:{port}", verbose=False)
        job = client.submit(handle_file(photo), 1, 0, False, api_name="/predict")
        assert server.stdout.readline() == "predicting\n"
        server.terminate()
        output, _ = server.communicate(timeout=30)
    finally:
        server.kill()
    assert server.returncode == 0 and "Traceback" not in output
    assert "stopped, uploads and results deleted" in output
    assert ("predictions abandoned: 1" in output) == (checks == "does not check")
    assert not list((tmp_path / "tmp").glob("camerapose-*"))
    if checks == "checks":
        assert "the server is stopping" in str(job.exception(timeout=5))
    client.close()


def test_pages_keep_a_connection(server):
    """Without it, the end of a session is never noticed."""
    place = server.address.partition("//")[2].strip("/")
    connection = http.client.HTTPConnection(place)
    connection.request("GET", "/config")
    assert json.loads(connection.getresponse().read())["connect_heartbeat"]
    connection.close()


def test_other_hosts_and_foreign_pages_are_refused(server):
    place = server.address.partition("//")[2].strip("/")
    statuses = []
    for headers in (
        {}, {"Host": "evil.example"}, {"Origin": "http://evil.example"},
        {"Origin": f"http://{place}"}, {"Origin": "http://127.0.0.1:1"},
    ):  # fmt: skip
        connection = http.client.HTTPConnection(place)
        connection.request("GET", "/config", headers=headers)
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [200, 403, 403, 200, 403]


def test_password(graph, monkeypatch):
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    monkeypatch.setenv("CAMERAPOSE_PASSWORD", "secret")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = PredictOptions(weights=graph, threads=1)
    with open_page("127.0.0.1", port, options, ServerLimits()):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/gradio_api/info")
        assert connection.getresponse().status == 401
        connection.close()
        for password, status in (("wrong", 400), ("secret", 200)):
            body = urllib.parse.urlencode({"username": "camerapose", "password": password})
            connection = http.client.HTTPConnection("127.0.0.1", port)
            header = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/login", body, header)
            assert connection.getresponse().status == status
            connection.close()


def test_shared_temporary_folder_of_another_user(tmp_path):
    """Gradio's default folder may belong to another user."""
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    (tmp_path / "gradio").write_text("a file, which cannot be used as a folder")
    code = (
        "import os\n"
        "from camerapose.server.uploads import import_gradio\n"
        "import_gradio()\n"
        "from gradio import route_utils\n"
        "print(route_utils.DEFAULT_TEMP_DIR)\n"
        "print(oct(os.stat(route_utils.DEFAULT_TEMP_DIR).st_mode & 0o777))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "GRADIO_TEMP_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | {"TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder, mode = done.stdout.split()
    assert Path(folder).parent == tmp_path and Path(folder).name.startswith("camerapose-")
    assert mode == "0o700" and not Path(folder).exists()


def test_port_in_use(graph):
    pytest.importorskip("gradio", reason='no Gradio: pip install "camerapose[serve]"')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(OSError, match=f"port {port}: the port is in use.*--port"),
            open_page("127.0.0.1", port, PredictOptions(), ServerLimits()),
        ):
            pass


@pytest.fixture
def browser(tmp_path):
    """Start headless Chromium, which stores downloads in `tmp_path`."""
    with chromium(tmp_path) as driver:
        yield driver


@pytest.mark.filterwarnings("ignore:::gradio")
def test_in_a_browser(server, browser, photo, tmp_path):
    """Upload, result, 3D, download, an error, and deletion."""

    from selenium import webdriver

    def find(selector):
        return browser.find_elements("css selector", selector)

    def upload(path):
        wait(lambda: find("#upload input[type=file]"), "the upload")[0].send_keys(str(path))
        wait(lambda: find(f"#upload [aria-label='{path.name}']"), "the file's name")
        wait(lambda: find("#run"), "the button")[0].click()

    browser.set_window_size(500, 700)
    browser.get(server.address)
    top = "return document.querySelector('#summary').getBoundingClientRect().top"
    wait(lambda: find("#summary") and browser.execute_script(top) > 700, "the complete page")
    upload(photo)
    frame = wait(lambda: find("#report iframe"), "the result")[0]
    assert "1 pose" in find("#summary")[0].text and find("#figure img")
    assert 0 <= browser.execute_script(top) < 600, "scrolled to the progress"
    browser.set_window_size(1280, 1400)
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", frame)
    browser.switch_to.frame(frame)
    wait(lambda: browser.execute_script("return Boolean(window.report.scene)"), "the 3D view")
    eye = "return report.scene.views[0].camera.position.x"
    before = browser.execute_script(eye)
    view = find(".view > div")[0]
    webdriver.ActionChains(browser).drag_and_drop_by_offset(view, 80, 0).perform()
    wait(lambda: abs(browser.execute_script(eye) - before) > 0.05, "the rotation")
    browser.switch_to.default_content()

    wait(lambda: find("#files a[download]"), "the files")[0].click()
    archive = tmp_path / "downloads" / "camerapose.zip"
    wait(archive.exists, "the download")
    assert any(name.endswith(".bvh") for name in zipfile.ZipFile(archive).namelist())

    name = browser.current_url.partition("?result=")[2]
    place = server.folder / f"results-{name}"  # others are those of other tests
    assert name and place.exists()
    address = browser.current_url
    for width, height in ((390, 844), (1280, 1400)):
        resize(browser, width, height, mobile=width < 500)
        browser.get("about:blank")  # a reload would restore the position
        browser.get(address)
        wait(lambda: find("#report iframe"), "the result at its address")
        wait(lambda: 0 <= browser.execute_script(top) < height / 2, "the result in view", 30)  # noqa: B023
    wait(lambda: not list(server.folder.rglob("man.png")), "the deletion of the upload")
    wait(lambda: find("#delete"), "the button")[0].click()
    wait(lambda: not place.exists(), "the deletion of the result")
    wait(lambda: "?result=" not in browser.current_url, "the address")
    browser.get(server.address)

    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\1\2\3" * 200)
    upload(broken)
    message = wait(lambda: find(".toast-body") and find(".toast-body")[0].text, "the error")
    assert "broken.mp4 cannot be read as a video" in message and str(server.folder) not in message

    # Gradio's page requests the progress of an upload, which may already be complete.
    assert not [error for error in errors(browser) if "upload_progress" not in error]
    events = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    requested = {event["params"]["request"]["url"] for event in events
             if event["method"] == "Network.requestWillBeSent"}  # fmt: skip
    inside = (server.address, "data:", "blob:", "chrome:", "chrome-untrusted:", "about:")
    assert not [url for url in requested if not url.startswith(inside)]

    browser.get("about:blank")
    wait(lambda: not list(server.folder.rglob("*.mp4")), "the deletion of the upload")
