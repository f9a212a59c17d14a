"""Which layers of a pupil are matched to which of its teacher's: ends of stages, or by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import layers

from pipeline.compress.functional import calls, functional_graph
from pipeline.errors import ConfigError
from pipeline.fit.ensembles.members import prefixes
from pipeline.lazy import nearest

Method = Literal["attention", "hints"]
Size = tuple[int, ...]  # (H, W) of a map; () of a vector

# Of these a stage has no end: what they give is random in training, or only framed anew.
PASSED = (layers.Dropout, layers.GaussianDropout, layers.GaussianNoise, layers.ZeroPadding2D)
WHERE = "distill.feature_layers"


@dataclass(frozen=True)
class Pair:
    """A layer of the pupil, the teacher's that it is matched to, and the size of both.

    Of an ensemble, `teacher` is the name that the layer has in each member by itself.
    """

    pupil: str
    teacher: str
    size: Size


def pairs(
    pupil: keras.Model, teacher: keras.Model, method: Method, said: Mapping[str, str]
) -> tuple[Pair, ...]:
    """Pair layers of two networks, in the order in which the pupil computes them.

    Where nothing is `said` (pupil's names to teacher's), the last layer of each height and width
    that both networks have, from their first kernel on: the ends of stages. `hints` also match the
    vectors that the last dense layers take, unless these are maps laid out flat.

    Raises:
        ConfigError: a layer is not there, a pair differs in size, `attention` is asked of what has
            no height and width, or nothing is alike in the two.
    """
    ours, theirs = nodes(pupil), nodes(teacher, prefixes(teacher)[0])
    chosen = dict(said) or _usual(ours, theirs, method)
    if not chosen:
        sizes = ["; ".join(map(_words, _ends(_learned(one)))) or "none" for one in (ours, theirs)]
        mend = "set feature_loss to hints, or" if method == "attention" else "set"
        raise ConfigError(
            f"distill.features: {method} found nothing to match: maps of the pupil are {sizes[0]}, "
            f"of the teacher {sizes[1]}; name layers by {WHERE}, {mend} features to 0"
        )
    found = [_pair(ours, theirs, names, method) for names in chosen.items()]
    order = list(ours)
    return tuple(sorted(found, key=lambda pair: order.index(pair.pupil)))


def nodes(model: keras.Model, prefix: str = "") -> dict[str, Any]:
    """The last call of each layer whose name begins so, by the rest of it, in order of computing.

    Inputs are none, nor is what gives several tensors.
    """
    return {
        node.operation.name.removeprefix(prefix): node
        for node in calls(functional_graph(model))
        if not node.is_input and len(node.outputs) == 1 and node.operation.name.startswith(prefix)
    }


def _pair(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], names: tuple[str, str], method: Method
) -> Pair:
    """Look a pair up; raises `ConfigError` for one that cannot be matched."""
    sizes = []
    for name, known, whose in zip(names, (ours, theirs), ("pupil", "teacher"), strict=True):
        if name not in known:
            raise ConfigError(f"{WHERE}: the {whose} has no layer {name!r}: {nearest(name, known)}")
        shape = tuple(known[name].outputs[0].shape)
        if len(shape) not in {2, 4}:
            raise ConfigError(f"{WHERE}: {name} of the {whose} gives neither a map nor a vector")
        sizes.append(shape[1:-1])
    if sizes[0] != sizes[1]:
        first, second = map(_words, sizes)
        raise ConfigError(
            f"{WHERE}: {names[0]} of the pupil gives {first}, {names[1]} of the teacher {second}: "
            "a pair has to be of one height and width"
        )
    if method == "attention" and sizes[0] in {(), (1, 1)}:
        raise ConfigError(
            f"{WHERE}: {names[0]} gives {_words(sizes[0])}, where there is no place to attend to: "
            "set feature_loss to hints, or name maps"
        )
    return Pair(*names, sizes[0])


def _usual(ours: Mapping[str, Any], theirs: Mapping[str, Any], method: Method) -> dict[str, str]:
    """The ends of stages of the same size, and for hints the features under the last layer."""
    ours, theirs = _learned(ours), _learned(theirs)
    mine, yours = _ends(ours), _ends(theirs)
    found = {name: yours[size] for size, name in mine.items() if size in yours}
    top, teachers = _under_the_last(ours), _under_the_last(theirs)
    if method == "hints" and top and teachers:
        found[top] = teachers
    return found


def _learned(known: Mapping[str, Any]) -> dict[str, Any]:
    """Layers from the first that has a kernel on: those before only prepare the pixels."""
    names = list(known)
    kernels = (
        place
        for place, node in enumerate(known.values())
        if any(len(weight.shape) > 1 for weight in getattr(node.operation, "weights", ()))
    )
    return {name: known[name] for name in names[next(kernels, len(names)) :]}


def _ends(known: Mapping[str, Any]) -> dict[Size, str]:
    """The last layer of each height and width, but for 1x1."""
    maps = {
        name: tuple(node.outputs[0].shape[1:-1])
        for name, node in known.items()
        if len(node.outputs[0].shape) == 4 and not isinstance(node.operation, PASSED)
    }
    return {size: name for name, size in maps.items() if size != (1, 1)}


def _under_the_last(known: Mapping[str, Any]) -> str | None:
    """The layer whose vector the last dense layer takes; None where it takes a map laid flat."""
    dense = [node for node in known.values() if isinstance(node.operation, layers.Dense)]
    below = {id(node.outputs[0]): name for name, node in known.items()}
    if not dense:
        return None
    name = below.get(_taken(dense[-1]))
    while name is not None and isinstance(known[name].operation, PASSED):
        name = below.get(_taken(known[name]))
    flat = name is None or isinstance(known[name].operation, layers.Flatten | layers.Reshape)
    return None if flat else name


def _taken(node: Any) -> int:
    """The id of the tensor that a call takes."""
    return id(node.arguments.keras_tensors[0])


def _words(size: Size) -> str:
    return "x".join(map(str, size)) or "a vector"
