"""The command `camerapose serve`."""

from typing import Annotated

from tyro.conf import arg

from camerapose.cli.options import MaybeInt


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    weights: Annotated[str, arg(metavar="NAME|PATH")] = "default",
    detector: Annotated[str, arg(metavar="NAME")] = "blazepose",
    model: Annotated[str, arg(metavar="NAME")] = "auto",
    max_megabytes: float = 200,
    max_seconds: float = 60,
    keep_minutes: float = 60,
    threads: MaybeInt = None,
    browser: bool = False,
) -> int:
    """A page in the browser: drop a photo or a video, turn the 3D, download the files.

        camerapose serve --browser

    Uploads and results are deleted when their page is closed, and all of them when this ends
    (Ctrl-C). Nothing is loaded from or sent to the internet.

    Args:
        host: 127.0.0.1 is for this computer alone; 0.0.0.0 for everyone who can reach it.
        port: TCP port.
        weights: default or clean for the weights in this package, a run folder, a checkpoint
            folder or an .onnx file.
        detector: what finds 2D keypoints in images.
        model: the detector's model; auto is heavy for photos and full for video.
        max_megabytes: of an upload.
        max_seconds: of a video; what comes after is left out.
        keep_minutes: how long uploads and results are kept at most.
        threads: processor threads; without it all cores.
        browser: open the page in the browser.
    """
    from camerapose.server.page import Limits
    from camerapose.server.page import serve as run

    run(host, port, weights=weights, detector=detector, model=model, threads=threads,
        limits=Limits(max_megabytes, max_seconds, keep_minutes), browser=browser)  # fmt: skip
    return 0
