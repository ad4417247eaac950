"""The command `camerapose serve`."""

from typing import Annotated

from tyro.conf import arg

from camerapose.cli.options import MaybeInt, Weights


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    weights: Weights = "default",
    detector: Annotated[str, arg(metavar="NAME")] = "blazepose",
    model: Annotated[str, arg(metavar="NAME")] = "auto",
    max_megabytes: float = 200,
    max_seconds: float = 60,
    keep_minutes: float = 60,
    device: Annotated[str, arg(metavar="NAME")] = "cpu",
    threads: MaybeInt = None,
    browser: bool = False,
) -> int:
    """Run predict as a web page: upload, interactive 3D, download.

        camerapose serve --browser

    Uploads and results are deleted when their page is closed, and all of them when the server stops
    (Ctrl-C). Nothing is loaded from or sent to the internet.

    Args:
        host: address to listen on: 127.0.0.1 for this computer only, 0.0.0.0 for the network.
        port: TCP port.
        weights: default, clean, an .onnx file or a run folder.
        detector: 2D keypoint detector: blazepose, heatmap or rtmlib.
        model: model of the detector; auto: heavy for images, full for video.
        max_megabytes: maximum size of an upload.
        max_seconds: maximum length of a video; the rest is ignored.
        keep_minutes: maximum time that uploads and results are kept.
        device: device of the networks: cpu, cuda, coreml, directml or openvino.
        threads: number of CPU threads; default: all cores.
        browser: open the page in the browser.
    """
    from camerapose.infer.options import PredictOptions
    from camerapose.server.limits import Limits
    from camerapose.server.serve import serve as run

    options = PredictOptions(weights, detector, model, device, threads)
    limits = Limits(max_megabytes, max_seconds, keep_minutes)
    run(options, host=host, port=port, limits=limits, browser=browser)
    return 0
