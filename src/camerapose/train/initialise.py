"""Begin a training with the weights of another model."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from camerapose.models.checkpoint import load_model

#: Components of a model that can be initialised separately.
COMPONENTS = ("refiner", "lifter", "camera_branch")


def initialise(model: nn.Module, weights: str | Path, components: Sequence[str] = ()) -> list[str]:
    """Copy weights into a model; return the names of the components.

    From a model of another joint format, tensors whose size depends on the number of joints (first
    and last layers) are not copied. The names then state how many were.

    Args:
        model: a `CameraPose` of the same sizes as the source, in the components that are copied.
        weights: name or path, see `camerapose.io.weights.find_weights`.
        components: those of `COMPONENTS` to copy; empty: all that both models have.

    Raises:
        FileNotFoundError: no such weights.
        ValueError: an unknown component, or one that is missing or of another size in the source.
    """
    unknown = sorted(set(components) - set(COMPONENTS))
    if unknown:
        raise ValueError(
            f"init_components contains {unknown[0]!r}; accepted: {', '.join(COMPONENTS)}"
        )
    source = load_model(weights)
    same_joints = source.skeleton == model.skeleton
    names = []
    chosen = components or [
        name for name in COMPONENTS if None not in (getattr(model, name), getattr(source, name))
    ]
    for name in chosen:
        given, wanted = getattr(source, name), getattr(model, name)
        if given is None or wanted is None:
            owner = weights if given is None else "the model to train"
            raise ValueError(f"{owner} has no {name}; choose other init_components")
        state = given.state_dict()
        if same_joints:
            copy_state(wanted, state, f"{name} of {weights}")
            names.append(name)
        else:
            n = _copy_fitting(wanted, state, f"{name} of {weights}")
            names.append(f"{name} ({n} of {len(state)} tensors, from {source.skeleton.name})")
    return names


def _copy_fitting(network: nn.Module, state: dict[str, Tensor], source: str) -> int:
    """Copy the tensors that have the same name and shape; return their number."""
    own = network.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if not any(value.ndim > 1 for value in fitting.values()):
        raise ValueError(
            f"the {source} does not fit: no layer has the size of one of the network; use the "
            "[model] settings of the source, or other init_components"
        )
    network.load_state_dict(own | fitting)
    return len(fitting)


def copy_state(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load the weights of a network; errors are one line.

    Raises:
        ValueError: the weights are those of a network with other layers or sizes.
    """
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    for name in sorted(shapes.keys() | given.keys()):
        if shapes.get(name) != given.get(name):
            raise ValueError(
                f"the {source} does not fit: {name} has the shape {given.get(name, 'none')}, the "
                f"network has {shapes.get(name, 'none')}; use the [model] settings of the source, "
                "or other init_components"
            )
    network.load_state_dict(state)
