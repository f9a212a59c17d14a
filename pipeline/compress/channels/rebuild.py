"""A smaller model of the same layers, without the channels that were not chosen."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.compress.channels.group import Masks
from pipeline.compress.channels.ties import Labels
from pipeline.compress.channels.trace import Trace
from pipeline.compress.functional import by_name, calls, functional_graph, handed
from pipeline.errors import ConfigError


def rebuild(traced: Trace, masks: Masks) -> keras.Model:
    """Build the model again with the channels that `masks` keep, and the weights that belong to it.

    An ordinary Keras model: the same layers by the same names and from the same configs, but for
    the counts in them; shared ones stay shared, nested ones nested, frozen ones frozen. It shares
    no memory with the original, and is not compiled.

    Raises:
        ConfigError: a layer cannot be made again from its config.
    """
    return _Rebuild(traced, traced.kept(masks)).model(traced.model)


class _Rebuild:
    """One walk; `_made` has what became of each layer and model, so that shared ones stay so."""

    def __init__(self, traced: Trace, kept: NDArray[np.bool_]) -> None:
        self._traced = traced
        self._kept = kept
        self._made: dict[int, Any] = {}
        self._arguments: dict[int, dict[tuple[str, int | None], Labels]] = {}
        for (layer, argument, place), labels in traced.counts.items():
            self._arguments.setdefault(layer, {})[argument, place] = labels

    def model(self, old: Any) -> Any:
        """The twin of a model, made once."""
        if id(old) not in self._made:
            sequential = type(old) is keras.Sequential
            new = self._sequential(old) if sequential else self._functional(old)
            new._trainable = old.trainable  # of itself alone: a layer in it has a flag of its own
            self._made[id(old)] = new
        return self._made[id(old)]

    def _functional(self, old: Any) -> Any:
        graph = functional_graph(old)
        assert graph is not None  # or it could not be traced
        places = {id(tensor): place for place, tensor in enumerate(graph.inputs)}
        found = {key: self._input(old, graph, place) for key, place in places.items()}
        for node in calls(graph):
            if not node.is_input:
                twin = self._twin(node.operation)
                args, kwargs = node.arguments.fill_in(found)
                if by_name(node):  # by which Keras computes, but not shapes that differ
                    args = ([found[id(tensor)] for tensor in handed(node)], *args[1:])
                    kwargs.pop("inputs", None)
                made = keras.tree.flatten(twin(*args, **kwargs))
                self._hand_over(node.operation, twin)
                found |= dict(zip(map(id, node.outputs), made, strict=True))
        inputs, outputs = (
            keras.tree.map_structure(lambda tensor: found[id(tensor)], struct)
            for struct in (graph._inputs_struct, graph._outputs_struct)
        )
        return keras.Model(inputs, outputs, name=old.name)

    def _sequential(self, old: Any) -> Any:
        given = self._input(old, functional_graph(old), 0)
        new = keras.Sequential([given, *map(self._twin, old.layers)], name=old.name)
        for one, other in zip(old.layers, new.layers, strict=True):
            self._hand_over(one, other)
        return new

    def _input(self, model: Any, graph: Any, place: int) -> Any:
        """An input of a model; inside of others it may have fewer channels than it had."""
        layer = graph.inputs[place]._keras_history.operation
        config = layer.get_config()
        shape = list(config["batch_shape"])
        for (argument, axis), labels in self._arguments.get(id(model), {}).items():
            if argument == f"input {place}" and axis is not None:
                shape[axis + 1] = self._left(labels)
        return type(layer).from_config({**config, "batch_shape": tuple(shape)}).output

    def _twin(self, old: Any) -> Any:
        """A layer or operation from the config of another, with the counts that are left."""
        if functional_graph(old) is not None:
            return self.model(old)
        if id(old) not in self._made:
            config = old.get_config()
            for (argument, place), labels in self._arguments.get(id(old), {}).items():
                if place is None:
                    config[argument] = self._left(labels)
                else:
                    sides = list(config[argument])
                    sides[place] = self._left(labels)
                    config[argument] = tuple(sides)
            try:
                made = type(old).from_config(config)
            except Exception as error:  # of whatever kind a foreign layer raises
                reason = str(error).partition("\n")[0]
                raise ConfigError(
                    f"slim: layer '{old.name}' ({type(old).__name__}) cannot be made again from "
                    f"its config: {reason}"
                ) from error
            made.name = old.name  # a config that Keras puts together by itself has none
            self._made[id(old)] = made
        return self._made[id(old)]

    def _hand_over(self, old: Any, new: Any) -> None:
        """Give a layer what its weights keep of those of the original."""
        if functional_graph(old) is not None or not isinstance(old, keras.layers.Layer):
            return
        for weight, other in zip(old.weights, new.weights, strict=True):
            values = np.asarray(weight)
            for axis in range(values.ndim):
                labels = self._traced.axes.get((id(weight), axis))
                if labels is not None:
                    values = values.compress(self._kept[labels], axis)
            other.assign(values)
        if hasattr(new, "finalize_state"):
            new.finalize_state()  # Normalization keeps its factors beside its weights

    def _left(self, labels: Labels) -> int:
        return int(self._kept[labels].sum())
