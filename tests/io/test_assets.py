"""Fetching third-party files: no network here; the package clients are replaced."""

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from camerapose.io import assets

CONTENTS = {name: f"content of {name}".encode() for name in assets.ASSETS}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and sums that fit `CONTENTS`."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(folder))
    table = {
        name: a._replace(sha256=hashlib.sha256(CONTENTS[name]).hexdigest())
        for name, a in assets.ASSETS.items()
    }
    monkeypatch.setattr(assets, "ASSETS", table)
    monkeypatch.setattr(assets.shutil, "which", lambda tool: f"/usr/bin/{tool}")
    return folder


@pytest.fixture
def clients(monkeypatch):
    """Package clients that write archives of `contents`; `calls` keeps what was run."""

    class Clients:
        contents = dict(CONTENTS)
        calls: list[list[str]] = []
        returncode = 0

        def run(self, command, **_):
            self.calls.append(command)
            if self.returncode:
                return subprocess.CompletedProcess(command, self.returncode, "", "no route to host")
            option = "--pack-destination" if "pack" in command else "--dest"
            folder = Path(command[command.index(option) + 1])
            spec = next(c for c in command if c in {a.package.spec for a in assets.ASSETS.values()})
            members = {
                a.member: self.contents[name]
                for name, a in assets.ASSETS.items()
                if a.package.spec == spec and name in self.contents
            }
            (_write_tgz if "pack" in command else _write_wheel)(folder, members)
            return subprocess.CompletedProcess(command, 0, "", "")

    Clients.calls = []
    clients = Clients()
    monkeypatch.setattr(assets.subprocess, "run", clients.run)
    return clients


def _write_wheel(folder, members):
    with zipfile.ZipFile(folder / "package.whl", "w") as wheel:
        for member, content in members.items():
            wheel.writestr(member, content)


def _write_tgz(folder, members):
    with tarfile.open(folder / "package.tgz", "w:gz") as tar:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("name", list(assets.ASSETS))
def test_asset_is_fetched_once(cache, clients, name):
    path = assets.asset(name)
    assert path == cache / name and path.read_bytes() == CONTENTS[name]
    assert assets.asset(name) == path
    assert len(clients.calls) == 1


def test_one_fetch_gives_all_of_a_package_and_nothing_else(cache, clients):
    assets.asset("pose_detection.tflite")
    assert {p.name for p in cache.iterdir()} == {
        "pose_detection.tflite",
        "pose_landmark_full.tflite",
    }


def test_wheel_is_asked_for_by_platform_and_pinned_version(cache, clients):
    assets.asset("demo.mp4")
    assert clients.calls[0][-1] == "sports2d==0.8.34"
    assert {"--no-deps", "--only-binary=:all:", "--platform"} <= set(clients.calls[0])


def test_wrong_sum_is_refused_and_nothing_is_left(cache, clients):
    clients.contents["pose_landmark_full.tflite"] = b"something else"
    with pytest.raises(
        FileNotFoundError, match=r"pose_landmark_full\.tflite in it has the SHA-256"
    ):
        assets.asset("pose_detection.tflite")
    assert not cache.exists()


def test_member_missing_in_the_archive_is_told(cache, clients):
    del clients.contents["pose_landmark_heavy.tflite"]
    with pytest.raises(FileNotFoundError, match="cannot be read as expected"):
        assets.asset("pose_landmark_heavy.tflite")


def test_file_with_a_wrong_sum_in_the_cache_is_replaced(cache, clients, capsys):
    cache.mkdir()
    (cache / "demo.mp4").write_bytes(b"half a fi")
    assert assets.asset("demo.mp4").read_bytes() == CONTENTS["demo.mp4"]
    assert "wrong SHA-256" in capsys.readouterr().err


def test_file_given_by_hand_is_used(cache, clients):
    cache.mkdir()
    (cache / "demo.mp4").write_bytes(CONTENTS["demo.mp4"])
    assert assets.asset("demo.mp4") == cache / "demo.mp4"
    assert not clients.calls


def test_failure_names_the_file_the_attempts_and_the_way_by_hand(cache, clients):
    clients.returncode = 1
    with pytest.raises(FileNotFoundError) as error:
        assets.asset("pose_detection.tflite")
    message = str(error.value)
    asset = assets.ASSETS["pose_detection.tflite"]
    for part in (
        "pose_detection.tflite",
        "mediapipe==0.10.21",
        "no route to host",
        asset.member,
        str(cache / "pose_detection.tflite"),
        asset.sha256,
        "pip download --no-deps",
    ):
        assert part in message
    assert len(clients.calls) == 3  # this Python's pip, another pip, uvx


def test_second_client_is_tried_when_the_first_is_missing(cache, clients, monkeypatch):
    def run(command, **options):
        if "-m" in command:
            return subprocess.CompletedProcess(command, 1, "", "No module named pip")
        return clients.run(command, **options)

    monkeypatch.setattr(assets.subprocess, "run", run)
    assert assets.asset("demo.mp4").is_file()


def test_without_npm_the_error_says_so(cache, clients, monkeypatch):
    monkeypatch.setattr(assets.shutil, "which", lambda tool: None)
    with pytest.raises(FileNotFoundError, match="there is no npm on this machine"):
        assets.asset("pose_landmark_heavy.tflite")


def test_interrupted_write_leaves_no_half_file(cache, clients, monkeypatch):
    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assets.asset("demo.mp4")
    assert list(cache.iterdir()) == []


def test_cache_that_cannot_be_written_is_told(tmp_path, cache, clients, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="not a directory.*CAMERAPOSE_CACHE"):
        assets.asset("demo.mp4")


def test_unknown_asset_lists_those_there_are(cache):
    with pytest.raises(ValueError, match=r"pose_detection\.tflite"):
        assets.asset("model.bin")


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "own"))
    assert assets.cache_dir() == tmp_path / "own"
    monkeypatch.delenv("CAMERAPOSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert assets.cache_dir() == tmp_path / "xdg" / "camerapose"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert assets.cache_dir().name == "camerapose"


def test_every_asset_names_its_licence():
    assert {a.package.licence for a in assets.ASSETS.values()} == {"Apache-2.0", "BSD-3-Clause"}
    assert all(len(a.sha256) == 64 for a in assets.ASSETS.values())
