"""One call of a layer, as a rule sees it."""

from dataclasses import dataclass
from typing import Any

import keras

from pipeline.compress.channels.ties import Labels, Ties, known

Shape = tuple[int | None, ...]
Axes = tuple[Labels | None, ...]

# Activations that take each value by itself, by the name of their function.
POINTWISE = frozenset(
    (
        *("linear", "relu", "relu6", "leaky_relu", "elu", "celu"),
        *("selu", "gelu", "silu", "sigmoid", "hard_sigmoid", "log_sigmoid"),
        *("hard_silu", "hard_tanh", "tanh", "tanh_shrink", "hard_shrink", "soft_shrink"),
        *("softplus", "softsign", "squareplus", "exponential", "threshold", "sparse_plus"),
        *("sparse_sigmoid", "mish"),
    )
)
_POINTWISE_LAYERS = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU)


@dataclass(frozen=True)
class Signal:
    """A tensor without its batch: its shape, and the channels along each axis.

    None along an axis: nothing is removed there.
    """

    shape: Shape
    axes: Axes

    def along(self, axis: int) -> Labels:
        """The channels along an axis whose length is known; fixed ones where nothing is removed."""
        size = self.shape[axis]
        assert size is not None  # Keras builds no weight on an axis without a length
        return known(self.axes[axis], size)


@dataclass(frozen=True)
class Call:
    """A layer or operation, what it is given, the shape of what it gives, and the ties so far."""

    layer: Any
    given: tuple[Signal, ...]
    output: Shape
    ties: Ties
    constants: tuple[Any, ...] = ()

    @property
    def signal(self) -> Signal:
        """The first of what it is given."""
        return self.given[0]

    @property
    def channel_axis(self) -> int:
        """The axis of channels, without the batch, as a layer of pictures has it."""
        first = getattr(self.layer, "data_format", "channels_last") == "channels_first"
        return 0 if first else len(self.signal.shape) - 1

    def fix_all(self) -> Axes:
        """Let every channel that comes in stay; what comes out has none to remove."""
        for signal in self.given:
            self.ties.fix(*signal.axes)
        return (None,) * len(self.output)

    def channels_only(self, labels: Labels | None, axis: int) -> Axes:
        """What comes out has these channels along an axis; no other axis is followed.

        What comes in along other axes stays.
        """
        signal, given = self.signal, self.channel_axis
        self.ties.fix(*(one for k, one in enumerate(signal.axes) if k != given))
        return tuple(labels if k == axis else None for k in range(len(self.output)))

    def activated(self, labels: Labels) -> Labels:
        """Channels behind the layer's activation; one that mixes channels, as softmax, fixes."""
        if not is_pointwise(getattr(self.layer, "activation", None)):
            self.ties.fix(labels)
        return labels


def is_pointwise(activation: Any) -> bool:
    """Tell whether an activation, a function or a layer, takes each value by itself."""
    if activation is None or type(activation) in _POINTWISE_LAYERS:
        return True
    ours = getattr(activation, "__module__", "").startswith("keras.")
    return ours and getattr(activation, "__name__", "") in POINTWISE
