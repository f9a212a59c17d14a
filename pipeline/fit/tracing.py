"""What the layers of a network give to pictures, one after the other, models inside it too."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras.src.models import Functional


@dataclass(frozen=True)
class Step:
    """One call of a layer: the numbers of the tensors it takes, and of the one it gives.

    Tensor 0 is the pictures; a layer that is called twice is two steps. `shape` is that of what it
    gives, without the batch. `place` tells that this is a map `(H, W, C)` of more than one place,
    made of the picture or of such a map; `learned`, that this layer or one before it has a kernel.
    """

    layer: Any
    taken: tuple[int, ...]
    given: int
    shape: tuple[int, ...]
    place: bool
    learned: bool

    @property
    def feature_map(self) -> bool:
        """Tell whether it gives what a network has found, place by place."""
        return self.place and self.learned


class Trace:
    """A network's answer to pictures, computed layer by layer, eagerly and in inference.

    `images` are pixels `(B, H, W, C)` 0..255. `steps` are in the order of computing, which is the
    same each time; `tensors` holds what each gives under its number, and `output` is the number
    of the answer. Those in `watched` are watched by `tape` before any layer takes them.
    """

    def __init__(
        self, model: keras.Model, images: Any, tape: Any = None, watched: Sequence[int] = ()
    ) -> None:
        self.steps: list[Step] = []
        self.tensors: list[Any] = []  # none is let go: an id is a tensor's own only while it lives
        self._numbers: dict[int, int] = {}
        self._makers: dict[int, Step] = {}
        self._tape, self._watched = tape, frozenset(watched)
        pixels = tf.cast(images, tf.float32)
        self._add(pixels)
        (answer,) = keras.tree.flatten(self._run(model, pixels))
        self.output = self._numbers[id(answer)]

    def maker(self, number: int) -> Step | None:
        """The step that gives a tensor; None of the pictures."""
        return self._makers.get(number)

    def _run(self, model: keras.Model, x: Any) -> Any:
        graph: Any = keras.Function(model.inputs, model.outputs)
        return graph._run_through_graph(x, operation_fn=self._called)

    def _called(self, operation: Any) -> Callable[..., Any]:
        """Stand in for a layer, and write down what it takes and gives."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if _has_graph(operation):
                return self._run(operation, args[0])
            kwargs.pop("training", None)
            taken = tuple(self._known((args, kwargs)))
            made = operation(*args, **kwargs)
            for one in keras.tree.flatten(made):
                self._write_down(operation, taken, one)
            return made

        return call

    def _known(self, structure: Any) -> Iterator[int]:
        for one in keras.tree.flatten(structure):
            if id(one) in self._numbers:
                yield self._numbers[id(one)]

    def _write_down(self, layer: Any, taken: tuple[int, ...], made: Any) -> None:
        before = [self._makers.get(number) for number in taken]
        step = Step(
            layer,
            taken,
            len(self.tensors),
            tuple(made.shape[1:]),
            _is_map(made) and any(one.place if one else True for one in before),
            has_kernel(layer) or any(one.learned for one in before if one),
        )
        self.steps.append(step)
        self._makers[step.given] = step
        self._add(made)

    def _add(self, tensor: Any) -> None:
        number = len(self.tensors)
        if number in self._watched:
            self._tape.watch(tensor)
        self.tensors.append(tensor)
        self._numbers[id(tensor)] = number


def has_kernel(layer: Any) -> bool:
    """Tell whether a layer has a weight of two axes or more: no normalization has."""
    return any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))


def _has_graph(operation: Any) -> bool:
    functional = isinstance(operation, Functional) and type(operation).call is Functional.call
    return functional or type(operation) is keras.Sequential


def _is_map(tensor: Any) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[1] * tensor.shape[2] > 1
