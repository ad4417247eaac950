"""The command `camerapose serve`."""

import os
import sys
from typing import Annotated

from tyro.conf import arg

from camerapose.cli.options import MaybeInt, Weights
from camerapose.io.weights import DEFAULT
from camerapose.server.limits import ServerLimits


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    weights: Weights = DEFAULT,
    detector: Annotated[str, arg(metavar="NAME")] = "blazepose",
    model: Annotated[str, arg(metavar="NAME")] = "auto",
    device: Annotated[str, arg(metavar="NAME")] = "cpu",
    threads: MaybeInt = None,
    export: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = (),
    browser: bool = False,
    names: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = (),
    limits: Annotated[ServerLimits, arg(name="")] = ServerLimits(),  # noqa: B008
) -> int:
    """Run predict as a web page: upload, interactive 3D, download.

        camerapose serve --browser

    Uploads are deleted when their page is closed, results by a button on the page or some time
    after they were last opened, and all of them when the server stops (Ctrl-C). Nothing is loaded
    from or sent to the internet. With CAMERAPOSE_PASSWORD in the environment, visitors log in as
    "camerapose" with that password.

    Args:
        host: address to listen on: 127.0.0.1 for this computer only, 0.0.0.0 for the network.
        port: TCP port.
        weights: open, research, human36m, an .onnx file or a run folder.
        detector: 2D keypoint detector: blazepose, heatmap or rtmlib.
        model: model of the detector; auto: heavy for images, full for video.
        device: device of the networks: cpu, cuda, coreml, directml or openvino.
        threads: number of processor threads; default: all cores (BlazePose: those idle at first).
        export: formats of files for other programs that are chosen at first (default: trc, c3d,
            bvh, gltf and csv).
        browser: open the page in the browser.
        names: names under which visitors reach this server, for example through a reverse proxy.
        limits: see the class.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"--port is {port}; require 1 to 65535")
    from camerapose.infer.options import PredictOptions
    from camerapose.server.serve import serve as run
    from camerapose.server.uploads import remove_default_folder

    options = PredictOptions(weights, detector, model, device, threads, export=export)
    if run(options, host=host, port=port, limits=limits, browser=browser, names=names):
        remove_default_folder()
        sys.stdout.flush()
        os._exit(0)  # Python would wait for the threads of abandoned predictions
    return 0
