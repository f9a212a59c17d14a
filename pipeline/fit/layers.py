"""Which layers of a network learn, and how fast beside the others."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from pipeline.errors import ConfigError
from pipeline.lazy import nearest


@contextmanager
def only_the_last(model: Any) -> Iterator[None]:
    """Let only the last layer with weights learn for a while; then what could before can again."""
    head = [layer for layer in model.layers if layer.weights][-1]
    with held([layer for layer in model.layers if layer is not head]):
        yield


@contextmanager
def held(layers: Sequence[Any]) -> Iterator[None]:
    """Keep layers as they are for a while; then those that could learn before can again.

    A layer that was made not to learn, as batch normalization of a backbone, is left that way. One
    that does not learn is in inference mode: its statistics stay as they are.
    """
    learning = [layer for layer in layers if layer.trainable]
    for layer in learning:
        layer.trainable = False
    try:
        yield
    finally:
        for layer in learning:
            layer.trainable = True


def matching(model: Any, pattern: str, setting: str) -> list[Any]:
    """Return the layers with weights whose name a pattern matches, as `block_1*`.

    Raises:
        ConfigError: it matches none; names the setting, and the nearest layer.
    """
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    found = [layer for name, layer in layers.items() if fnmatchcase(name, pattern)]
    if not found:
        raise ConfigError(
            f"{setting}: {pattern!r} matches no layer with weights: {nearest(pattern, layers)}"
        )
    return found


def set_rates(model: Any, rates: Mapping[str, float], setting: str) -> None:
    """Give layers of a compiled Keras 3 model a learning rate of their own, as a factor on it.

    `rates` maps patterns of names to factors; of several that match the last counts. The
    optimizer's own steps are scaled, whatever it is, but not its weight decay.

    Source: Howard and Ruder, "Universal language model fine-tuning for text classification", 2018,
    sect. 3.2, "discriminative fine-tuning".

    Raises:
        ConfigError: a pattern matches nothing.
    """
    by_variable: dict[int, float] = {}
    for pattern, factor in rates.items():
        for layer in matching(model, pattern, setting):
            by_variable |= {id(variable): factor for variable in layer.trainable_variables}
    if not by_variable:
        return
    optimizer = model.optimizer
    factors = [by_variable.get(id(variable), 1.0) for variable in model.trainable_variables]
    step = optimizer.update_step

    def scaled(gradient: Any, variable: Any, learning_rate: Any) -> None:
        factor = factors[optimizer._get_variable_index(variable)]
        step(gradient, variable, learning_rate * factor)

    optimizer.update_step = scaled
