"""From a Keras 3 graph to its anatomy: every call of every layer, nested models unfolded."""

from collections.abc import Sequence
from math import prod
from typing import Any

import keras

from pipeline.compress.anatomy.field import Field, field
from pipeline.compress.anatomy.macs import Shape, macs
from pipeline.compress.anatomy.record import Anatomy, Layer
from pipeline.compress.anatomy.size import int8_bytes
from pipeline.compress.functional import calls, functional_graph, handed, output_shapes
from pipeline.errors import ConfigError


def anatomy(model: keras.Model) -> Anatomy:
    """Take a functional or Sequential model apart; nothing is computed or changed.

    Nested models are unfolded, their layers called `outer/inner`; a shared layer has a row for
    each call. See `macs`, `field` and `int8_bytes` for what is counted and how.

    Raises:
        ConfigError: the model has no graph, or a side of a picture in it is not known.
    """
    walk = _Walk()
    outputs = walk.through(model, [()], "")
    rows = tuple(walk.rows)
    fields = [walk.fields[place] for place in outputs]
    sizes = [one.pixels for one in fields if one is not None]
    return Anatomy(
        name=model.name,
        params=sum(row.params for row in rows),
        trainable=sum(row.trainable for row in rows),
        macs=sum(row.macs for row in rows),
        receptive_field=(max(h for h, _ in sizes), max(w for _, w in sizes)) if sizes else None,
        int8_bytes=int8_bytes(rows),
        uncounted=tuple(walk.uncounted),
        layers=rows,
    )


class _Walk:
    """One pass; `rows` and `fields` have a place for each call."""

    def __init__(self) -> None:
        self.rows: list[Layer] = []
        self.fields: list[Field | None] = []
        self.uncounted: list[str] = []
        self._seen: set[int] = set()

    def through(self, model: keras.Model, given: Sequence[Any], prefix: str) -> list[int]:
        """Walk a graph whose inputs come from `given`, pairs of place and shape; where it ends.

        At the top there is nothing given: its input layers get rows of their own.
        """
        graph = _graph(model)
        found: dict[int, tuple[int, Shape]] = {}
        if prefix:
            found = dict(zip(map(id, graph.inputs), given, strict=True))
        for node in calls(graph):
            if node.is_input:
                for tensor in node.outputs:
                    if id(tensor) not in found:
                        place = self._add(node.operation, prefix, [], (), _known(tensor, model))
                        found[id(tensor)] = place, _known(tensor, model)
                continue
            taken = [id(tensor) for tensor in node.arguments.keras_tensors]
            sources = [found[key] for key in taken]
            shapes = output_shapes(node, {key: found[key][1] for key in taken})
            if isinstance(node.operation, keras.Model):
                name = f"{prefix}{node.operation.name}/"
                given_here = [found[id(tensor)] for tensor in handed(node)]
                places = self.through(node.operation, given_here, name)
            else:
                given_shape = sources[0][1] if sources else ()
                place = self._add(
                    node.operation, prefix, [p for p, _ in sources], given_shape, shapes[0]
                )
                places = [place] * len(shapes)
            found |= {
                id(tensor): (place, shape)
                for tensor, place, shape in zip(node.outputs, places, shapes, strict=True)
            }
        return [found[id(tensor)][0] for tensor in graph.outputs]

    def _add(
        self, operation: Any, prefix: str, sources: list[int], given: Shape, output: Shape
    ) -> int:
        """Write the row of one call."""
        before = [self.fields[place] for place in sources]
        known = [one for one in before if one is not None]
        looks: Field | None = Field(whole=len(output) != 3)
        if sources:
            looks = field(operation, known, given, len(output))
        cost = macs(operation, given, output)
        if cost is None:
            self.uncounted.append(prefix + operation.name)
        fresh = [w for w in getattr(operation, "weights", ()) if id(w) not in self._seen]
        fresh = [w for w in fresh if not _is_seed(w)]
        self._seen.update(map(id, fresh))
        learned = {id(weight) for weight in getattr(operation, "trainable_weights", ())}
        self.rows.append(
            Layer(
                name=prefix + operation.name,
                kind=type(operation).__name__,
                inputs=tuple(sources),
                output=output,
                params=sum(prod(weight.shape) for weight in fresh),
                trainable=sum(prod(weight.shape) for weight in fresh if id(weight) in learned),
                macs=cost or 0,
                field=looks.pixels if looks and not looks.whole else None,
                **_said(operation),
            )
        )
        self.fields.append(looks)
        return len(self.rows) - 1


def _said(operation: Any) -> dict[str, Any]:
    """What a layer says of its form."""
    kernel = getattr(operation, "kernel_size", None) or getattr(operation, "pool_size", None)
    filters = getattr(operation, "filters", None) or getattr(operation, "units", None)
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", type(activation).__name__)
    if isinstance(operation, keras.layers.ReLU) and operation.max_value == 6:
        activation, name = operation, "relu6"
    return {
        "kernel": _numbers(kernel),
        "strides": _numbers(getattr(operation, "strides", None)),
        "dilation": _numbers(getattr(operation, "dilation_rate", None)),
        "filters": filters if isinstance(filters, int) else None,
        "groups": getattr(operation, "groups", None),
        "activation": None if activation is None or name == "linear" else name,
    }


def _numbers(sides: Any) -> tuple[int, ...] | None:
    return tuple(int(side) for side in sides) if isinstance(sides, list | tuple) else None


def _is_seed(weight: Any) -> bool:
    """Tell the state of a random generator, which Keras keeps among the weights, from a weight."""
    return "seed_generator" in weight.path or weight.path.endswith("seed_generator_state")


def _known(tensor: Any, model: keras.Model) -> Shape:
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise ConfigError(f"model '{model.name}' takes {shape}: which size, is not said")
    return shape


def _graph(model: keras.Model) -> Any:
    graph = functional_graph(model)
    if graph is None:
        raise ConfigError(
            f"model '{model.name}' ({type(model).__name__}) has no graph: functional models and "
            "Sequential ones with an input shape do"
        )
    return graph
