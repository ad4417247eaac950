"""Begin a training with the weights of another model."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from camerapose.models.checkpoint import load_model

#: Components of a model that can be initialised separately.
COMPONENTS = ("refiner", "lifter", "camera_branch")


def initialise(model: nn.Module, weights: str | Path, components: Sequence[str] = ()) -> list[str]:
    """Copy weights into a model; return the names of the components.

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
    source = load_model(weights, skeleton=model.skeleton.name)
    chosen = components or [
        name for name in COMPONENTS if None not in (getattr(model, name), getattr(source, name))
    ]
    for name in chosen:
        given, wanted = getattr(source, name), getattr(model, name)
        if given is None or wanted is None:
            owner = weights if given is None else "the model to train"
            raise ValueError(f"{owner} has no {name}; choose other init_components")
        copy_state(wanted, given.state_dict(), f"{name} of {weights}")
    return list(chosen)


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
