"""`camerapose serve`: run the web page on this computer.

Nothing is loaded from or sent to other computers: no fonts, scripts or statistics. Uploads and
results are in one private folder, which is deleted at the end.
"""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from camerapose.infer.detection import load_detector
from camerapose.infer.options import PredictOptions
from camerapose.infer.predictor import Predictor
from camerapose.io.locks import NAME as LOCK
from camerapose.io.locks import lock_folder
from camerapose.server.access import PASSWORD, HostCheck, Sessions, authentication
from camerapose.server.jobs import Jobs
from camerapose.server.limits import MAX_WAITING, ServerLimits
from camerapose.server.page import CSS, build, import_gradio

#: First part of the names of folders with uploads and results.
PREFIX = "camerapose-page-"
#: Addresses that other computers cannot reach.
LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    options: PredictOptions,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    limits: ServerLimits = ServerLimits(),  # noqa: B008
    browser: bool = False,
    names: Sequence[str] = (),
    log: Callable[[str], None] = print,
) -> None:
    """Serve the page until it is interrupted (Ctrl-C or SIGTERM).

    `limits.workers` predictions run at a time. With CAMERAPOSE_PASSWORD in the environment,
    visitors log in as `camerapose` with that password. Uploads are deleted when their page is
    closed, results on request, and both after `limits.keep_minutes` and at the end.

    Args:
        options: options of all predictions, see `Jobs`.
        host: address to listen on; 0.0.0.0 for the whole network.
        port: TCP port.
        limits: of uploads.
        browser: open the page in the browser.
        names: names under which visitors reach the server, for example through a reverse proxy.
        log: called with each line of the log.

    Raises:
        ValueError: Gradio is not installed, or an option cannot be used.
        OSError: the port is in use, or a model cannot be downloaded.
    """
    import_gradio()
    # Report unusable weights and download models now instead of for the first visitor.
    Predictor(options.weights, device=options.device, threads=options.threads)
    load_detector(options, consecutive=True)
    with open_page(host, port, options, limits, browser=browser, names=names) as address:
        log(f"serving camerapose at {address} (Ctrl-C to stop)")
        if host not in LOCAL:
            log(
                f"no encryption{'' if authentication() else ' or password'}: anyone who can reach "
                f"{host} can {'try to ' if authentication() else ''}use the page; set {PASSWORD}, "
                "and use a reverse proxy with encryption"
            )
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            log("stopped, uploads and results deleted")
        finally:
            signal.signal(signal.SIGTERM, previous)


@contextmanager
def open_page(
    host: str,
    port: int,
    options: PredictOptions,
    limits: ServerLimits,
    *,
    browser: bool = False,
    names: Sequence[str] = (),
) -> Iterator[str]:
    """Serve the page during the context; yield its address.

    Args:
        options: options of all predictions, see `Jobs`.
        names: names under which visitors reach the server, see `HostCheck`.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX) as folder,
        lock_folder(folder),
        _upload_folder(folder),
    ):
        jobs = Jobs(Path(folder), options, limits)
        page = build(jobs)
        page.queue(max_size=MAX_WAITING, default_concurrency_limit=limits.workers)
        expiry = threading.Thread(target=jobs.delete_expired_until_stopped, daemon=True)
        expiry.start()
        try:
            yield _launch(page, host, port, browser, jobs, names)
        finally:
            page.close(verbose=False)
            jobs.stopped.set()
            expiry.join()


def _remove_abandoned(parent: Path) -> None:
    """Remove the uploads and results of this user's servers that were killed."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            own = os.name == "nt" or folder.lstat().st_uid == os.getuid()
            if own and not folder.is_symlink() and (folder / LOCK).exists():
                with lock_folder(folder):  # not if its server runs
                    shutil.rmtree(folder)


def _launch(
    page: Any, host: str, port: int, browser: bool, jobs: Jobs, names: Sequence[str]
) -> str:
    """Start the server; return the address of the page."""
    gradio = import_gradio()
    from starlette.middleware import Middleware

    middleware = [
        Middleware(HostCheck, names=[*names, host]),
        Middleware(Sessions, begin=jobs.begin_session, end=jobs.end_session),
    ]
    theme = gradio.themes.Default(primary_hue="blue", font=["system-ui", "sans-serif"],
                                  font_mono=["ui-monospace", "monospace"])  # fmt: skip
    try:
        _, address, _ = page.launch(
            server_name=host, server_port=port, inbrowser=browser, quiet=True, share=False,
            prevent_thread_lock=True, ssr_mode=False, run_history=False, footer_links=[],
            enable_monitoring=False, max_file_size=round(jobs.limits.max_megabytes * 1e6), css=CSS,
            theme=theme, auth=authentication(), app_kwargs={"middleware": middleware},
        )  # fmt: skip
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port}: the port is in use, or the address does not "
            "belong to this computer; choose others with --host and --port"
        ) from error
    return address


@contextmanager
def _upload_folder(folder: str) -> Iterator[None]:
    """Let Gradio store uploads in a folder during the context."""
    previous = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield
    finally:
        if previous is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = previous
