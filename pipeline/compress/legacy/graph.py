"""A Keras 3 graph -> the same graph in tf_keras, by walking its nodes."""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from pipeline.compress.functional import calls, functional_graph
from pipeline.compress.legacy.layers import twin_layer
from pipeline.compress.legacy.weights import hand_over
from pipeline.errors import ConfigError, ConversionError

MOST_NAMED = 8


def mirror(model: keras.Model) -> Any:
    """Return a tf_keras model that computes what `model` computes, with its weights copied.

    Functional and Sequential models; nested models, shared layers, several inputs and outputs,
    and operations of `keras.ops` between layers. The twin shares no memory with `model`, bears
    the same layer names, and is not compiled. A `training=` written into a call is left out:
    Keras 3 lets `fit` and `predict` override it (keras#20285), so the twin listens to them too.

    Raises:
        ConversionError: naming the layers that have no twin, before anything is built.
    """
    return _Mirror(model).run()


def mirror_for(stage: str, model: keras.Model) -> Any:
    """Return the mirror of a model that a stage is to change; an error begins with its name.

    Raises:
        ConfigError: naming the layers that have no twin.
    """
    try:
        return mirror(model)
    except ConversionError as error:
        raise ConfigError(f"{stage}: {error}") from error


class OperationTwin(tf_keras.layers.Layer):
    """A stateless Keras 3 operation called on tf_keras tensors: the same kernel, no weights.

    `tensors` are those of the call, flat; constants of the call are kept by the node.
    A model with such operations runs and trains, but does not serialize.
    """

    def __init__(self, node: Any, name: str) -> None:
        super().__init__(name=name, dtype=tf.float32, autocast=False)
        self._node = node

    def call(self, tensors: Any) -> Any:
        """Run the operation on the tensors and the constants of its node."""
        # Decorating `call` itself would make tf_keras believe it takes `training`.
        return tf.autograph.experimental.do_not_convert(self._run)(tensors)

    def _run(self, tensors: Any) -> Any:
        arguments = self._node.arguments
        ids = [id(tensor) for tensor in arguments.keras_tensors]
        # tf_keras hands a list of one tensor over as that tensor when it rebuilds a graph.
        given = keras.tree.flatten(tensors)
        args, kwargs = arguments.fill_in(dict(zip(ids, given, strict=True)))
        return self._node.operation.call(*args, **kwargs)


class _Mirror:
    """One walk; `twins` holds what became of each layer, so that shared ones stay shared."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.twins: dict[int, Any] = {}
        self.pairs: list[tuple[keras.layers.Layer, Any]] = []

    def run(self) -> Any:
        self._make_layers()
        twin = self._wire(self.model)
        for layer, other in self.pairs:
            hand_over(layer, other)
        return twin

    def _make_layers(self) -> None:
        """Make every layer's twin, or name all those that have none."""
        refusals: dict[str, None] = {}
        for graph in (self.model, *_inner_models(self.model)):
            for operation in _graph(graph).operations:
                try:
                    self._make_layer(operation)
                except ConversionError as error:
                    refusals[str(error)] = None
        if refusals:
            said, unsaid = list(refusals)[:MOST_NAMED], len(refusals) - MOST_NAMED
            rest = f"; and {unsaid} more" if unsaid > 0 else ""
            raise ConversionError(f"cannot mirror the model: {'; '.join(said)}{rest}")

    def _make_layer(self, operation: Any) -> None:
        if isinstance(operation, keras.layers.InputLayer):
            if operation.sparse or operation.ragged:
                raise ConversionError(f"layer '{operation.name}' (InputLayer) is not dense")
        elif isinstance(operation, keras.layers.Layer):
            if not isinstance(operation, keras.Model) and id(operation) not in self.twins:
                self.twins[id(operation)] = twin_layer(operation)
                self.pairs.append((operation, self.twins[id(operation)]))
        elif not type(operation).__module__.startswith("keras.src.ops."):
            raise ConversionError(
                f"operation '{operation.name}' ({type(operation).__name__}) has no tf_keras twin"
            )

    def _wire(self, model: keras.Model) -> Any:
        """Call the twins as the nodes of `model` call the originals, inputs first."""
        if id(model) in self.twins:
            return self.twins[id(model)]
        graph = _graph(model)
        tensors = {
            id(tensor): tf_keras.Input(
                batch_shape=tensor.shape,
                dtype=tensor.dtype,
                name=tensor._keras_history.operation.name,
            )
            for tensor in graph.inputs
        }
        for node in calls(graph):
            if not node.is_input:
                outputs = keras.tree.flatten(self._call(node, tensors))
                tensors.update(zip(map(id, node.outputs), outputs, strict=True))
        inputs, outputs = (
            keras.tree.map_structure(lambda tensor: tensors[id(tensor)], struct)
            for struct in (graph._inputs_struct, graph._outputs_struct)
        )
        twin = self.twins[id(model)] = tf_keras.Model(inputs, outputs, name=model.name)
        return twin

    def _call(self, node: Any, tensors: dict[int, Any]) -> Any:
        operation = node.operation
        if isinstance(operation, keras.layers.Layer):
            nested = isinstance(operation, keras.Model)
            twin = self._wire(operation) if nested else self.twins[id(operation)]
            args, kwargs = node.arguments.fill_in(tensors)
            return twin(*args, **{key: kwargs[key] for key in kwargs if key != "training"})
        index = operation._inbound_nodes.index(node)
        name = operation.name if index == 0 else f"{operation.name}_call_{index}"
        return OperationTwin(node, name)([tensors[id(t)] for t in node.arguments.keras_tensors])


def _graph(model: keras.Model) -> Any:
    """Return the functional graph inside a functional or Sequential model."""
    graph = functional_graph(model)
    if graph is None and type(model) is keras.Sequential:
        raise ConversionError(f"model '{model.name}' (Sequential) has no input shape yet")
    if graph is None:
        raise ConversionError(
            f"model '{model.name}' ({type(model).__name__}) is subclassed: "
            "only functional and Sequential models have a graph to mirror"
        )
    return graph


def _inner_models(model: keras.Model) -> Iterator[keras.Model]:
    """Every model inside `model`, the outer ones first."""
    for operation in _graph(model).operations:
        if isinstance(operation, keras.Model):
            yield operation
            yield from _inner_models(operation)
