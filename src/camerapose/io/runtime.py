"""ONNX Runtime sessions on a chosen device."""

import mmap
import os
from typing import Any

import numpy as np

from camerapose.core.limits import DEFAULT
from camerapose.io.onnx_sizes import check_sizes

#: Execution provider, its options and the package that contains it, by device name.
DEVICES: dict[str, tuple[str, dict[str, str], str]] = {
    "cpu": ("CPUExecutionProvider", {}, "onnxruntime"),
    "cuda": ("CUDAExecutionProvider", {}, "onnxruntime-gpu"),
    "coreml": ("CoreMLExecutionProvider", {}, "onnxruntime"),
    "directml": ("DmlExecutionProvider", {}, "onnxruntime-directml"),
    "openvino": (
        "OpenVINOExecutionProvider",
        {"device_type": "CPU", "precision": "ACCURACY"},  # no automatic bfloat16
        "onnxruntime-openvino",
    ),
}
#: The key "location" of a tensor's external data, as protobuf stores it.
_LOCATION = b"\n\x08location\x12"


def import_onnxruntime() -> Any:
    """Import ONNX Runtime without telemetry.

    `camerapose.core.privacy` prevents it completely, unless ONNX Runtime was imported before
    camerapose; its events are switched off in that case as well.
    """
    import onnxruntime

    disable = getattr(onnxruntime, "disable_telemetry_events", None)
    if disable is not None:  # not in all builds
        disable()
    return onnxruntime


def check_device(device: str) -> None:
    """Check that a device name is known and its execution provider is installed.

    Raises:
        ValueError: unknown device, or an ONNX Runtime without its execution provider.
    """
    if device not in DEVICES:
        raise ValueError(f"unknown device {device!r}; choose from {', '.join(DEVICES)}")
    provider, _, package = DEVICES[device]
    installed = import_onnxruntime().get_available_providers()
    if provider not in installed:
        usable = [name for name, (other, _, _) in DEVICES.items() if other in installed]
        raise ValueError(
            f"device {device!r} requires {provider}, which the installed ONNX Runtime lacks "
            f"(available: {', '.join(usable)}); replace it by the package {package}"
        )


def check_graph_file(path: str | os.PathLike) -> None:
    """Refuse an ONNX file that reads other files (external data) or declares large tensors.

    Raises:
        ValueError: the file refers to other files, is too large, declares tensors that are too
            large (`onnx_sizes`), or cannot be read.
    """
    limit = DEFAULT.max_graph_bytes
    try:
        size = os.path.getsize(path)
        if size > limit:
            raise ValueError(f"it has {size / 1e9:.1f} GB; at most {limit / 1e9:.1f} GB are read")
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            external = view.find(_LOCATION) >= 0
        if not external:
            check_sizes(np.memmap(path, np.uint8, "r").data)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as an ONNX graph ({error})") from error
    if external:
        raise ValueError(
            f"{path} keeps weights in other files (external data), which are not read; save it "
            "as a single file"
        )


def onnx_session(
    path: str | os.PathLike, *, device: str = "cpu", threads: int | None = None
) -> Any:
    """Open an ONNX graph as an `onnxruntime.InferenceSession`.

    Args:
        path: .onnx file.
        device: key of `DEVICES`. Operators that its execution provider does not support run on
            the CPU.
        threads: number of threads of one operator; None uses all processor cores.

    Raises:
        ValueError: the device cannot be used (see `check_device`), or the file cannot be read as
            an ONNX graph.
    """
    check_device(device)
    check_graph_file(path)
    onnxruntime = import_onnxruntime()
    provider, settings, _ = DEVICES[device]
    if device == "openvino" and threads:
        settings = settings | {"num_of_threads": str(threads)}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    # Busy waiting would take the cores from another network that runs in turn with this one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = [(provider, settings)]
    if device != "cpu":
        providers.append("CPUExecutionProvider")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime raises a dozen types, none of them public
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} cannot be read as an ONNX graph ({reason})") from error
    if provider not in session.get_providers():  # ONNX Runtime falls back without an error
        raise ValueError(
            f"device {device!r} cannot be used: {provider} failed to start (missing driver or "
            "library?); use device 'cpu'"
        )
    return session
