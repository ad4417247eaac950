"""Hosts, origins and password of the web page; sessions that end while they work."""

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.fakes import SIZE, write_video
from PIL import Image

from camerapose.infer import pipeline
from camerapose.infer.lift import lift
from camerapose.infer.options import PredictOptions
from camerapose.io.source import Source
from camerapose.server import jobs as jobs_module
from camerapose.server.access import PASSWORD, HostCheck, Sessions, authentication
from camerapose.server.jobs import Jobs
from camerapose.server.limits import ServerLimits
from camerapose.view.report import write_report


def allowed(*headers, names=(), scheme="http"):
    """Return whether a request with these headers reaches the application."""
    reached, sent = [], []

    async def app(scope, receive, send):
        reached.append(scope)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "scheme": scheme,
             "headers": [(k.encode(), v.encode()) for k, v in headers]}  # fmt: skip
    asyncio.run(HostCheck(app, names)(scope, None, send))
    assert bool(reached) != bool(sent) and (reached or sent[0]["status"] == 403)
    if sent:
        assert "--names" in sent[1]["body"].decode() or "Origin" in sent[1]["body"].decode()
    return bool(reached)


@pytest.mark.parametrize(
    "host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "192.168.1.7", "LOCALHOST"]
)
def test_own_names(host):
    assert allowed(("host", host))
    assert allowed(("host", host), ("origin", f"http://{host}"))
    assert not allowed(("host", host), ("origin", "http://evil.example"))
    assert not allowed(("host", host), ("origin", "null"))


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:7860", "", "[", "a:b:c"])
def test_other_names_are_refused(host):
    assert not allowed(("host", host))


def test_missing_and_repeated_host():
    assert not allowed()
    assert not allowed(("host", "localhost"), ("host", "evil.example"))


def test_names_of_a_reverse_proxy():
    assert allowed(("host", "pose.example"), names=["Pose.Example"])
    assert allowed(("host", "pose.example"), ("origin", "https://pose.example"),
                   names=["pose.example"])  # fmt: skip


@pytest.mark.parametrize(
    ("host", "origin", "scheme", "expected"),
    [
        ("localhost:7860", "http://localhost:8000", "http", False),  # another server
        ("localhost:7860", "http://localhost", "http", False),
        ("localhost", "http://localhost:7860", "http", False),
        ("localhost:7860", "http://localhost:7860", "ws", True),
        ("localhost", "http://localhost:80", "http", True),
        ("localhost:80", "http://localhost", "http", True),
        ("localhost:80", "https://localhost", "http", False),
        ("localhost:7860", "app://localhost:7860", "http", False),
        ("localhost:7860", "//localhost:7860", "http", False),
        ("localhost:x", "http://localhost:x", "http", False),
        ("localhost", "https://localhost", "http", True),  # a proxy decrypts and does not report it
        ("localhost:8443", "https://localhost:8443", "http", True),
        ("localhost", "https://localhost:443", "wss", True),
        ("localhost", "http://localhost", "https", False),  # a proxy reports that it decrypts
        ("[::1]:7860", "http://[::1]:7861", "http", False),
    ],
)
def test_origin_has_scheme_and_port_of_the_request(host, origin, scheme, expected):
    assert allowed(("host", host), ("origin", origin), scheme=scheme) == expected


def test_password(monkeypatch):
    monkeypatch.delenv(PASSWORD, raising=False)
    assert authentication() is None
    monkeypatch.setenv(PASSWORD, "sécret")
    check = authentication()
    assert check("camerapose", "sécret")
    assert not check("camerapose", "secret") and not check("other", "sécret")


@pytest.fixture
def make(detector, graph, tmp_path):
    def jobs(**limits):
        return Jobs(tmp_path, PredictOptions(weights=graph, threads=1), ServerLimits(**limits))

    return jobs


def test_session_that_ends_during_its_prediction(make, photo, tmp_path, monkeypatch):
    """The prediction ends after its stage, and its files are deleted afterwards."""
    jobs, predict, started, go = make(), jobs_module.predict, threading.Event(), threading.Event()

    def slow(*arguments, **options):
        started.set()
        assert go.wait(60)
        return predict(*arguments, **options)

    monkeypatch.setattr(jobs_module, "predict", slow)
    errors = []

    def run():
        try:
            jobs.run(str(photo), visitor="me")
        except ValueError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(60)
    jobs.end_session("me")
    assert photo.exists()
    go.set()
    thread.join()
    assert errors == ["the page was closed"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_nothing_expires_while_a_visitor_waits(make, photo):
    jobs = make(keep_minutes=1.0)
    jobs.register(str(photo), "me")
    os.utime(photo, (time.time() - 999,) * 2)
    jobs.wait("me")
    jobs.delete_expired()
    assert photo.exists()
    jobs.end_session("me")
    assert not photo.exists()


def test_symbolic_links_and_other_folders_are_refused(make, photo, tmp_path_factory):
    secret = tmp_path_factory.mktemp("secret") / "secret.png"
    secret.write_bytes(photo.read_bytes())
    link = photo.with_name("link.png")
    link.symlink_to(secret)
    for path in (link, secret, photo.parent / ".." / ".." / secret.name):
        with pytest.raises(ValueError, match="is not an upload"):
            make().run(str(path))


def test_space_of_a_visitor_and_of_all(make, photo):
    with pytest.raises(ValueError, match="your files take too much space"):
        make(max_total_megabytes=0.001).run(str(photo), visitor="me")
    assert not photo.exists()


def test_space_of_all(make, photo, tmp_path):
    (tmp_path / "other").write_bytes(bytes(2_000_000))
    with pytest.raises(ValueError, match="no space for further results"):
        make(max_total_megabytes=1.0).run(str(photo), visitor="me")


def test_requests_after_the_end_of_a_session(make, photo, tmp_path):
    """Their order is not guaranteed: an upload may be registered after the page was closed."""
    jobs = make()
    jobs.begin_session("me")
    jobs.end_session("me")
    jobs.register(str(photo), "me")
    assert not photo.exists()
    photo.parent.mkdir()
    Image.new("RGB", SIZE, "white").save(photo)
    with pytest.raises(ValueError, match="page was closed"):
        jobs.run(str(photo), visitor="me")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_page_that_connects_again(make, photo):
    jobs = make()
    jobs.begin_session("me")
    jobs.begin_session("me")
    jobs.register(str(photo), "me")
    jobs.end_session("me")
    assert photo.exists()
    jobs.end_session("me")
    jobs.begin_session("me")
    photo.parent.mkdir()
    Image.new("RGB", SIZE, "white").save(photo)
    assert "1 pose" in jobs.run(str(photo), visitor="me").summary


def test_uploads_of_closed_pages(make, photo):
    """An upload that was complete after the page was closed belongs to nobody."""
    jobs = make()
    jobs.begin_session("other")
    os.utime(photo, (time.time() - 999,) * 2)
    os.utime(photo.parent, (time.time() - 999,) * 2)
    jobs.delete_expired()
    assert photo.exists()
    jobs.end_session("other")
    jobs.delete_expired()
    assert not photo.exists()


@pytest.mark.parametrize("how", ["disconnect", "cancelled", "error", "complete"])
def test_the_end_of_a_page_is_noticed(how):
    """Whether its request is cancelled while it waits or while it sends, or fails."""
    events, done = [], threading.Event()

    async def app(scope, receive, send):
        events.append("open")
        if how == "error":
            raise OSError("connection reset")
        if how != "complete":
            await asyncio.sleep(60)

    def end(session):
        events.append(f"end {session}")
        done.set()

    async def request():
        sessions = Sessions(app, lambda session: events.append(f"begin {session}"), end)
        scope = {"type": "http", "path": "/gradio_api/heartbeat/abc"}
        task = asyncio.create_task(sessions(scope, None, None))
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await task
        await sessions({"type": "http", "path": "/config"}, None, None) if how == "complete" else 0
        await asyncio.to_thread(done.wait, 10)

    asyncio.run(request())
    assert [event for event in events if event != "open"] == ["begin abc", "end abc"]


class TestTimeLimit:
    """It covers reading, lifting and writing."""

    @pytest.fixture
    def clock(self, monkeypatch):
        now = SimpleNamespace(time=0.0)
        monkeypatch.setattr("camerapose.server.clock.time", SimpleNamespace(
            monotonic=lambda: now.time))  # fmt: skip
        return now

    def test_reading(self, make, tmp_path, clock, detector, monkeypatch):
        """The frames up to the limit are processed."""
        read = Source.frames

        def slow(self, *arguments, **options):
            for frame in read(self, *arguments, **options):
                clock.time += 1
                yield frame

        monkeypatch.setattr(Source, "frames", slow)
        video = write_video(tmp_path / "walk.mkv", 60)
        result = make(max_job_minutes=1.0).run(str(video))
        assert "time limit was reached after frame 35" in result.summary and result.files
        assert "36 frames" in result.summary and result.video is None

    def test_lifting(self, make, photo, clock, monkeypatch):
        def slow(*arguments):
            clock.time = 61
            return lift(*arguments)

        monkeypatch.setattr(pipeline, "lift", slow)
        with pytest.raises(ValueError, match="time limit of 1 minutes was reached"):
            make(max_job_minutes=1.0).run(str(photo), visitor="me")

    def test_writing(self, make, tmp_path, clock, monkeypatch):
        """Files that are complete are offered."""

        def slow(*arguments, **options):
            clock.time = 61
            return write_report(*arguments, **options)

        monkeypatch.setattr("camerapose.view.report.write_report", slow)
        video = write_video(tmp_path / "walk.mkv", 10)
        result = make(max_job_minutes=1.0).run(str(video))
        assert "1 minutes was reached: files are missing" in result.summary
        assert result.video is None and {Path(file).name for file in result.files} >= {
            "report.html", "poses.json", "walk.bvh"
        }  # fmt: skip


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_ranges(value):
    with pytest.raises(ValueError, match="require above 0"):
        ServerLimits(max_job_minutes=value)
