"""Selection of the PyTorch device."""

import re

import torch


def torch_device(name: str) -> torch.device:
    """Return the device for a setting: cpu, cuda, cuda:N or auto (a GPU if there is one).

    Raises:
        ValueError: unknown name, or CUDA is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", name):
        raise ValueError(f"device = {name!r}; accepted: 'cpu', 'cuda', 'cuda:0' or 'auto'")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"device = {name!r}, but PyTorch found no GPU; accepted here: 'cpu' or 'auto'"
        )
    device = torch.device(name)
    if (device.index or 0) >= max(torch.cuda.device_count(), 1):
        raise ValueError(f"device = {name!r}, but there are {torch.cuda.device_count()} GPUs")
    return device
