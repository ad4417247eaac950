"""`camerapose serve`: run the web page on this computer.

Nothing is loaded from or sent to other computers: no fonts, scripts or statistics. Uploads and
results are in one private folder, which is deleted at the end.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from camerapose.infer.detection import load_detector
from camerapose.infer.options import PredictOptions
from camerapose.infer.predictor import Predictor
from camerapose.server.access import PASSWORD, HostCheck, Sessions, authentication
from camerapose.server.jobs import Jobs
from camerapose.server.limits import MAX_WAITING, ServerLimits
from camerapose.server.page import CSS, build
from camerapose.server.uploads import import_gradio, upload_folder

#: Seconds for which the end of the server waits for predictions to stop.
STOP_SECONDS = 3.0
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
) -> int:
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

    Returns:
        Number of predictions that were abandoned; their threads continue, see `open_page`.

    Raises:
        ValueError: Gradio is not installed, or an option cannot be used.
        OSError: the port is in use, or a model cannot be downloaded.
    """
    import_gradio()
    # Report unusable weights and download models now instead of for the first visitor.
    Predictor(options.weights, device=options.device, threads=options.threads)
    load_detector(options, consecutive=True)
    left: list[int] = []
    previous = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with open_page(host, port, options, limits, browser=browser, names=names,
                       abandoned=left.append) as address:  # fmt: skip
            log(f"serving camerapose at {address} (Ctrl-C to stop)")
            if host not in LOCAL:
                log(_exposure(host))
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                for number in (signal.SIGTERM, signal.SIGINT):  # it is stopping
                    signal.signal(number, signal.SIG_IGN)
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), previous, strict=True):
            signal.signal(number, handler)
    unfinished = f"; predictions abandoned: {left[0]}" if any(left) else ""
    log(f"stopped, uploads and results deleted{unfinished}")
    return sum(left)


def _exposure(host: str) -> str:
    """Return a warning about a server that other computers can reach."""
    protected = bool(authentication())
    return (
        f"no encryption{'' if protected else ' or password'}: anyone who can reach {host} can "
        f"{'try to ' if protected else ''}use the page; set {PASSWORD}, and use a reverse proxy "
        "with encryption"
    )


@contextmanager
def open_page(
    host: str,
    port: int,
    options: PredictOptions,
    limits: ServerLimits,
    *,
    browser: bool = False,
    names: Sequence[str] = (),
    abandoned: Callable[[int], None] = lambda number: None,
) -> Iterator[str]:
    """Serve the page during the context; yield its address.

    At the end, predictions are told to stop. Those that do not for `STOP_SECONDS` are abandoned:
    their files are deleted, but their threads continue.

    Args:
        options: options of all predictions, see `Jobs`.
        names: names under which visitors reach the server, see `HostCheck`.
        abandoned: called at the end with the number of abandoned predictions.
    """
    with upload_folder() as folder:
        jobs = Jobs(folder, options, limits)
        page = build(jobs)
        page.queue(max_size=MAX_WAITING, default_concurrency_limit=limits.workers)
        expiry = threading.Thread(target=jobs.delete_expired_until_stopped, daemon=True)
        expiry.start()
        try:
            yield _launch(page, host, port, browser, jobs, names)
        finally:
            server = getattr(page, "server", None)  # None if it has not started
            if server is not None:
                server.should_exit = True  # accept no further visitors
            running = jobs.stop(STOP_SECONDS)
            page.close(verbose=False)  # waits for the connections of pages, at most 5 seconds
            expiry.join()
            abandoned(running)


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
    theme = gradio.themes.Default(
        primary_hue="blue",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(block_info_text_color="*neutral_500")  # the default is too pale to read
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
