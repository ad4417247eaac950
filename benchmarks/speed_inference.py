"""Speed of metrics, network inference and the start of the package."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import peer
import torch
from clock import Row, race, ratio

from camerapose.core.joint_formats import H36M_16
from camerapose.evaluate import metrics
from camerapose.models.camerapose import build
from camerapose.models.onnx_export import export_model


def errors(rounds: int, n: int) -> list[Row]:
    """Measure MPJPE with PA-MPJPE, and AUC."""
    target = torch.randn(n, 16, 3) * torch.tensor([0.15, 0.45, 0.1])
    predicted = target + 0.05 * torch.randn(n, 16, 3)
    x, y = predicted.numpy(), target.numpy()
    few = slice(n // 10)
    times = race(
        rounds,
        ours=lambda: (metrics.mpjpe(predicted, target), metrics.pa_mpjpe(predicted, target)),
        theirs=lambda: (peer.mpjpe(x, y), peer.pa_mpjpe(x, y)),
        our_auc=lambda: metrics.auc(predicted, target),
        their_auc=lambda: peer.auc(x[few], y[few]),
    )
    times["their_auc"] = [10 * t for t in times["their_auc"]]
    return [
        Row(f"{what}, {n:,} poses", 1e6 * median(times[a]) / n, "us per pose", None,
            ratio(times[b], times[a]), goal)
        for what, a, b, goal in (
            ("MPJPE and PA-MPJPE", "ours", "theirs", "15x"), ("AUC", "our_auc", "their_auc", ""),
        )
    ]  # fmt: skip


def inference(rounds: int, folder: Path) -> list[Row]:
    """Compare the lifter `videopose` and the complete network with the peers' lifter."""
    torch.manual_seed(0)
    theirs = peer.ConvLifter().eval()
    # The lifter with a minimal camera branch, and the complete network.
    small = build(H36M_16, "videopose", {}, 0, 8, 0).eval()
    whole = build(H36M_16, "videopose", {}, 512, 512, 2).eval()
    sessions = {}
    for name, model in (("lifter", small), ("whole network", whole)):
        for kind in ("float32", "int8"):
            path = folder / f"{name.partition(' ')[0]}.{kind}.onnx"
            export_model(model, path, int8=kind == "int8")
            sessions[f"{name}, ONNX Runtime, {kind}"] = _session(path)
    rows = []
    for batch, goal in ((1, "1.6x"), (1024, "2.3x")):
        pose2d, confidence = torch.rand(batch, 16, 2), torch.ones(batch, 16)
        feed = {"pose2d": pose2d.numpy(), "confidence": confidence.numpy()}
        repeat = 50 if batch == 1 else 1
        runners = {
            "theirs": _torch_runner(theirs, repeat, pose2d),
            "lifter, torch": _torch_runner(small.lifter, repeat, pose2d),
            "whole network, torch": _torch_runner(whole, repeat, pose2d, confidence),
        }
        runners |= {name: _onnx_runner(one, repeat, feed) for name, one in sessions.items()}
        times = race(2 * rounds, **runners)
        goals = {"lifter, ONNX Runtime, float32": goal, "lifter, ONNX Runtime, int8": "9x"}
        for name in list(runners)[1:]:
            rows.append(
                Row(f"{name}, batch {batch}", 1e3 * median(times[name]) / repeat, "ms", None,
                    ratio(times["theirs"], times[name]), goals.get(name, ""))
            )  # fmt: skip
    return rows


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _torch_runner(network: Any, repeat: int, *inputs: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode():
            for _ in range(repeat):
                network(*inputs)

    return run


def _onnx_runner(session: Any, repeat: int, feed: dict[str, Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(repeat):
            session.run(None, feed)

    return run


def start(rounds: int) -> list[Row]:
    """Measure the import, and the prediction for one frame of keypoints."""
    from camerapose import Predictor

    def imported(code: str) -> float:
        script = f"import time; a = time.process_time(); {code}; print(time.process_time() - a)"
        return float(subprocess.check_output([sys.executable, "-c", script]))

    package = median(imported("import camerapose") for _ in range(rounds))
    ready = median(imported("from camerapose import Predictor; Predictor()") for _ in range(rounds))
    predictor = Predictor(threads=1)
    keypoints = np.random.default_rng(0).uniform(100, 500, (1, 17, 2))
    feed = {
        entry.name: np.full((1, *entry.shape[1:]), np.nan if entry.name == "known" else 0.5)
        for entry in predictor._session.get_inputs()
    }
    feed = {name: value.astype(np.float32) for name, value in feed.items()}

    def complete() -> None:
        for _ in range(100):
            predictor(keypoints, image_size=(640, 640))

    network = _onnx_runner(predictor._session, 100, feed)
    times = race(rounds, complete=complete, network=network)
    overhead = median(a - b for a, b in zip(times["complete"], times["network"], strict=True))
    return [
        Row("import camerapose", package, "s", goal="1 s"),
        Row("import and load the default weights", ready, "s"),
        Row("Predictor, one person: without the network", 10 * overhead, "ms", goal="1 ms"),
        Row("Predictor, one person: the network", 10 * median(times["network"]), "ms"),
    ]
