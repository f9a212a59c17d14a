"""From a Keras 3 graph to the groups of channels that can be removed from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.compress.anatomy.macs import macs
from pipeline.compress.channels.group import Group, Masks, Weight, grouped
from pipeline.compress.channels.rules import RULES, Call, Signal
from pipeline.compress.channels.ties import Labels, Ties
from pipeline.compress.functional import calls, functional_graph, handed, output_shapes
from pipeline.errors import ConfigError

MOST_NAMED = 6


@dataclass(frozen=True)
class Trace:
    """A model, the groups of its channels, and every weight of it.

    `axes` and `counts` are as `Ties` has them, with roots for numbers. `open` names layers whose
    multiply-accumulates are not known, as pictures have no fixed size there.
    """

    model: keras.Model
    groups: tuple[Group, ...]
    weights: tuple[Weight, ...]
    axes: dict[tuple[int, int], Labels]
    counts: dict[tuple[int, str, int | None], Labels]
    numbers: int
    open: tuple[str, ...] = ()

    def whole(self) -> Masks:
        """Masks that keep everything."""
        return tuple(np.ones(group.channels, bool) for group in self.groups)

    def kept(self, masks: Masks) -> NDArray[np.bool_]:
        """For every number of a channel, whether it is kept; `(numbers,)`.

        Raises:
            ValueError: the masks are not those of these groups, or leave one of them empty.
        """
        kept = np.ones(self.numbers, bool)
        for group, mask in zip(self.groups, masks, strict=True):
            if mask.shape != group.numbers.shape or not mask.any():
                raise ValueError(f"group '{group.name}' cannot keep {mask.sum()} of {mask.shape}")
            kept[group.numbers] = mask
        return kept


def trace(model: keras.Model, keep: Sequence[str] = ()) -> Trace:
    """Find the channels of a functional or Sequential model that can be removed, in groups.

    Nothing is computed or changed. What the model takes and gives stays. `keep` are patterns of
    names of layers, inside nested models `outer/inner`, whose channels stay too; such a layer may
    be of any class: of one without a rule, what it takes and gives is kept.

    Source: the dependency graph of Fang, Ma, Song, Mi, Wang, "DepGraph: towards any structural
    pruning", 2023. They tie layers by rules between neighbours; here single channels are numbered
    and tied, so that joins, splits and reshapes need no rules of their own.

    Raises:
        ConfigError: a model without a graph, a layer without a rule, a pattern that names none.
    """
    walk = _Walk(keep)
    graph = _graph(model)
    given = [Signal(_sides(tensor), (None,) * len(_sides(tensor))) for tensor in graph.inputs]
    for signal in walk.through(model, given, ""):
        walk.ties.fix(*signal.axes)
    walk.complain()
    ties, roots = walk.ties, walk.ties.roots()
    weights = tuple(walk.weights())
    return Trace(
        model=model,
        groups=grouped(ties, weights, roots),
        weights=weights,
        axes={key: roots[labels] for key, labels in ties.axes.items()},
        counts={key: roots[labels] for key, labels in ties.counts.items()},
        numbers=len(roots),
        open=tuple(walk.open),
    )


class _Walk:
    """One pass over a graph and those nested in it."""

    def __init__(self, keep: Sequence[str]) -> None:
        self.ties = Ties()
        self._keep = keep
        self._names: dict[str, None] = {}
        self._unknown: dict[str, str] = {}
        self._layers: dict[int, tuple[str, Any]] = {}
        self._macs: dict[int, int] = {}
        self.open: dict[str, None] = {}

    def through(self, model: Any, entering: Sequence[Signal], prefix: str) -> list[Signal]:
        """Follow channels through a model, called again perhaps, from its inputs to its outputs."""
        graph = _graph(model)
        for place, signal in enumerate(entering):
            for axis in range(len(signal.axes)):
                if prefix and graph.inputs[place].shape[axis + 1] is not None:
                    self.ties.count(model, f"input {place}", signal.along(axis), axis)
        found = dict(zip(map(id, graph.inputs), entering, strict=True))
        for node in calls(graph):
            if node.is_input:
                continue
            taken = [id(tensor) for tensor in node.arguments.keras_tensors]
            signals = [found[key] for key in taken]
            shapes = output_shapes(node, {key: found[key].shape for key in taken})
            name = prefix + node.operation.name
            if functional_graph(node.operation) is not None:
                self._names[name] = None
                given = [found[id(tensor)] for tensor in handed(node)]
                made = self.through(node.operation, given, f"{name}/")
            else:
                made = self._call(node, name, signals, shapes)
            found |= dict(zip(map(id, node.outputs), made, strict=True))
        return [found[id(tensor)] for tensor in graph.outputs]

    def _call(
        self, node: Any, name: str, given: Sequence[Signal], shapes: Sequence[tuple[Any, ...]]
    ) -> list[Signal]:
        """Apply the rule of a layer; without one everything around it stays."""
        layer = node.operation
        self._names[name] = None
        self._layers.setdefault(id(layer), (name, layer))
        if getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None):
            raise ConfigError(
                f"slim: layer '{name}' has weights of LoRA or is quantized: slim it before that"
            )
        kept = any(_means(word, name) for word in self._keep)
        rule = RULES.get(type(layer))
        constants = [
            value
            for value in keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
            if not isinstance(value, keras.KerasTensor)
        ]
        call = Call(layer, tuple(given), shapes[0], self.ties, tuple(constants))
        if rule is None:
            if not kept:
                self._unknown[name] = type(layer).__name__
            call.fix_all()
            if given:
                self._count(layer, name, given[0].shape, shapes[0])
            return [Signal(shape, (None,) * len(shape)) for shape in shapes]
        axes = rule(call)
        if kept:
            self.ties.fix(*axes)
        self._count(layer, name, given[0].shape, shapes[0])
        return [Signal(shapes[0], axes)]

    def _count(
        self, layer: Any, name: str, given: tuple[Any, ...], output: tuple[Any, ...]
    ) -> None:
        """Note the multiply-accumulates of one call for each element of the layer's kernels."""
        own = [weight for weight in getattr(layer, "weights", ()) if _is_kernel(weight)]
        elements = sum(prod(weight.shape) for weight in own)
        if not elements:
            return
        if None in (*given, *output):
            self.open[name] = None
        elif cost := macs(layer, given, output):
            for weight in own:
                self._macs[id(weight)] = self._macs.get(id(weight), 0) + cost // elements

    def weights(self) -> Sequence[Weight]:
        """Every weight of every layer once, in an order in which they are used."""
        found: dict[int, Weight] = {}
        for name, layer in self._layers.values():
            for one in getattr(layer, "weights", ()):
                said = f"{name}/{one.name}", layer, one, self._macs.get(id(one), 0)
                found.setdefault(id(one), Weight(*said))
        return list(found.values())

    def complain(self) -> None:
        """Say which layers have no rule, or which patterns mean none."""
        if self._unknown:
            named = [f"'{name}' ({kind})" for name, kind in self._unknown.items()]
            more = len(named) - MOST_NAMED
            words = ", ".join(f"'{name}'" for name in list(self._unknown)[:MOST_NAMED])
            raise ConfigError(
                f"slim: what {', '.join(named[:MOST_NAMED])}{f' and {more} more' * (more > 0)} "
                f"does to channels is not known: keep it whole, keep=[{words}]"
            )
        for word in self._keep:
            if not any(_means(word, name) for name in self._names):
                raise ConfigError(
                    f"keep pattern {word!r} matches no layer: {', '.join(self._names)}"
                )


def _means(word: str, name: str) -> bool:
    """Tell whether a pattern means a layer, or a nested model it is in."""
    parts = name.split("/")
    return any(fnmatchcase("/".join(parts[: n + 1]), word) for n in range(len(parts)))


def _is_kernel(weight: Any) -> bool:
    return bool(weight.name.endswith("kernel"))


def _sides(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape[1:])


def _graph(model: Any) -> Any:
    graph = functional_graph(model)
    if graph is None:
        raise ConfigError(
            f"slim: model '{model.name}' ({type(model).__name__}) has no graph of layers: "
            "functional models do, and Sequential ones with an input shape"
        )
    return graph
