"""Downloading third-party files, with package clients that write local archives."""

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
    """Return an empty cache, with the SHA-256 of `CONTENTS` pinned."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(folder))
    table = {
        name: a._replace(sha256=hashlib.sha256(CONTENTS[name]).hexdigest())
        for name, a in assets.ASSETS.items()
    }
    monkeypatch.setattr(assets, "ASSETS", table)
    monkeypatch.setattr(assets, "_program", lambda tool: f"/usr/bin/{tool}")
    return folder


@pytest.fixture
def clients(monkeypatch):
    """Replace package clients; `calls` contains the commands."""

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
def test_asset_is_downloaded_once(cache, clients, name):
    path = assets.asset(name)
    assert path == cache / name and path.read_bytes() == CONTENTS[name]
    assert assets.asset(name) == path
    assert len(clients.calls) == 1


def test_one_download_stores_all_assets_of_a_package(cache, clients):
    assets.asset("pose_detection.tflite")
    assert {p.name for p in cache.iterdir()} == {
        "pose_detection.tflite",
        "pose_landmark_full.tflite",
    }


def test_wheel_has_a_pinned_platform_and_version(cache, clients):
    assets.asset("demo.mp4")
    assert clients.calls[0][-1] == "sports2d==0.8.34"
    assert {"--no-deps", "--only-binary=:all:", "--platform"} <= set(clients.calls[0])


def test_unexpected_sha256_is_refused(cache, clients):
    clients.contents["pose_landmark_full.tflite"] = b"something else"
    with pytest.raises(FileNotFoundError, match="unexpected SHA-256"):
        assets.asset("pose_detection.tflite")
    assert list(cache.iterdir()) == []


def test_missing_member_is_reported(cache, clients):
    del clients.contents["pose_landmark_heavy.tflite"]
    with pytest.raises(FileNotFoundError, match="unexpected content"):
        assets.asset("pose_landmark_heavy.tflite")


def test_damaged_file_in_the_cache_is_replaced(cache, clients, capsys):
    cache.mkdir()
    (cache / "demo.mp4").write_bytes(b"half a fi")
    assert assets.asset("demo.mp4").read_bytes() == CONTENTS["demo.mp4"]
    assert "unexpected SHA-256" in capsys.readouterr().err


def test_file_provided_manually_is_used(cache, clients):
    cache.mkdir()
    (cache / "demo.mp4").write_bytes(CONTENTS["demo.mp4"])
    assert assets.asset("demo.mp4") == cache / "demo.mp4"
    assert not clients.calls


def test_failure_describes_attempts_and_manual_steps(cache, clients):
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


def test_second_client_replaces_a_missing_first(cache, clients, monkeypatch):
    def run(command, **options):
        if "-m" in command:
            return subprocess.CompletedProcess(command, 1, "", "No module named pip")
        return clients.run(command, **options)

    monkeypatch.setattr(assets.subprocess, "run", run)
    assert assets.asset("demo.mp4").is_file()


def test_missing_npm_is_reported(cache, clients, monkeypatch):
    monkeypatch.setattr(assets, "_program", lambda tool: None)
    with pytest.raises(FileNotFoundError, match="npm is not installed"):
        assets.asset("pose_landmark_heavy.tflite")


def test_interrupted_write_leaves_no_file(cache, clients, monkeypatch):
    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assets.asset("demo.mp4")
    assert list(cache.iterdir()) == []


def test_unwritable_cache_is_reported(tmp_path, cache, clients, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CAMERAPOSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="not a directory.*CAMERAPOSE_CACHE"):
        assets.asset("demo.mp4")


def test_unknown_asset_lists_the_known(cache):
    with pytest.raises(ValueError, match=r"pose_detection\.tflite"):
        assets.asset("model.bin")


def test_cache_folder_follows_environment_variables(monkeypatch, tmp_path):
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


def test_client_ignores_the_working_directory(cache, clients, monkeypatch, tmp_path):
    """A module pip.py of the working directory is not imported."""
    (tmp_path / "pip.py").write_text("open('executed', 'w')")
    monkeypatch.chdir(tmp_path)
    run, folders = clients.run, []

    def keep_folder(command, cwd, **options):
        folders.append(cwd)
        return run(command, **options)

    monkeypatch.setattr(assets.subprocess, "run", keep_folder)
    assets.asset("demo.mp4")
    assert folders and tmp_path not in folders
    assert clients.calls[0][1:4] == ["-I", "-m", "pip"]


def test_programs_in_the_working_directory_are_not_run(tmp_path, monkeypatch):
    """Windows searches it first; elsewhere PATH may contain it."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        for name in ("npm", "npm.EXE"):
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
    monkeypatch.chdir(inside)
    for path in (".", "", f".{os.pathsep}{outside}", f"{os.pathsep}{outside}", "../inside"):
        monkeypatch.setenv("PATH", path)
        monkeypatch.setenv("PATHEXT", ".EXE")
        found = assets._program("npm")
        assert found is None or Path(found).parent == outside, path
        assert (found is None) == (str(outside) not in path)
