"""Hosts, origins and password of the web page; sessions that end while they work."""

import asyncio
import os
import threading
import time

import pytest
from helpers.fakes import write_video

from camerapose.infer.options import PredictOptions
from camerapose.server import jobs as jobs_module
from camerapose.server.access import PASSWORD, HostCheck, authentication
from camerapose.server.jobs import Jobs
from camerapose.server.limits import ServerLimits


def allowed(*headers, names=()):
    """Return whether a request with these headers reaches the application."""
    reached, sent = [], []

    async def app(scope, receive, send):
        reached.append(scope)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(k.encode(), v.encode()) for k, v in headers]}
    asyncio.run(HostCheck(app, names)(scope, None, send))
    assert bool(reached) != bool(sent) and (reached or sent[0]["status"] == 403)
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
    """The prediction finishes, and its files are deleted afterwards."""
    jobs, predict, started, go = make(), jobs_module.predict, threading.Event(), threading.Event()

    def slow(*arguments, **options):
        started.set()
        assert go.wait(60)
        return predict(*arguments, **options)

    monkeypatch.setattr(jobs_module, "predict", slow)
    results = []
    thread = threading.Thread(target=lambda: results.append(jobs.run(str(photo), visitor="me")))
    thread.start()
    assert started.wait(60)
    jobs.end_session("me")
    assert photo.exists()
    go.set()
    thread.join()
    assert "1 pose" in results[0].summary
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


def test_time_limit(make, tmp_path):
    """The frames up to the limit are processed."""
    video = write_video(tmp_path / "walk.mkv", 30)
    result = make(max_job_minutes=1e-9).run(str(video))
    assert "time limit was reached after frame 0" in result.summary and result.files


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_ranges(value):
    with pytest.raises(ValueError, match="require above 0"):
        ServerLimits(max_job_minutes=value)
