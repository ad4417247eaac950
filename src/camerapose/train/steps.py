"""Optimisation step and network modes that the stages share."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from camerapose.train.parallel import sum_gradients


@contextmanager
def evaluation_mode(
    network: nn.Module, kinds: type | tuple[type, ...] = nn.Module
) -> Iterator[None]:
    """Set modules of the given kinds to evaluation mode, and back to training mode afterwards.

    With `kinds=nn.BatchNorm1d` batch norm is frozen: it uses its running statistics and does not
    update them.
    """
    modules = [m for m in network.modules() if isinstance(m, kinds) and m.training]
    for module in modules:
        module.training = False
    yield
    for module in modules:
        module.training = True


def update(
    optimizer: torch.optim.Optimizer, loss: Tensor, parameters: list[nn.Parameter] | None = None
) -> None:
    """Take one optimisation step with the gradient norm clipped to 1.

    Gradients are computed for the parameters of the optimizer, or for some of them, only. A step
    with a gradient that is not finite is skipped. This is decided on the device, without
    synchronisation.

    Args:
        optimizer: a fused optimizer. It divides gradients by `grad_scale` and skips the step where
            `found_inf` is 1.
        parameters: parameters of the optimizer to update; None: all.
    """
    optimizer.zero_grad(set_to_none=True)
    if parameters is None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
    loss.backward(inputs=parameters)
    sum_gradients(parameters)
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None], foreach=True)
    # Fused optimizers read these attributes, which the class does not declare.
    optimizer.grad_scale = norm.clamp(min=1.0)  # type: ignore[attr-defined]
    optimizer.found_inf = (~norm.isfinite()).to(norm.dtype)  # type: ignore[attr-defined]
    optimizer.step()
