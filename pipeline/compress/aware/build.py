"""A trained network -> the same network with every tensor of its int8 file rounded as there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from pipeline.compress.aware.compose import affine, gate, hard_sigmoid, rectifier
from pipeline.compress.aware.layers import (
    ChannelAffine,
    FakeQuantize,
    QuantizedKernel,
    Scalar,
    kernel_of,
)
from pipeline.compress.aware.plan import CURVES, Call, Plan, plan
from pipeline.errors import ConversionError

PIXELS = (0.0, 255.0)
WIDER = 1 + 1 / 255
MOST_CLUSTERS = 256  # different weights in a kernel that was clustered, at most


def quantization_aware(model: keras.Model) -> keras.Model:
    """Return a model that computes what the int8 file of `model` would, and can be trained.

    `model` maps pixels `(B, H, W, C)` 0..255 to probabilities; so does the new one, whose weights
    begin as those of `model`, and whose ranges `calibrate` sets. Every tensor that the file will
    hold is rounded once, where it holds it: behind what the converter fuses (convolution, batch
    normalization, ReLU), with one scale for what a concatenation joins and what pooling moves.
    Kernels with zeros keep them, clustered ones keep their clusters. `model` is not changed.

    Raises:
        ConversionError: naming the layers that this cannot be done for.
    """
    return _Builder(plan(model)).run(model.name)


@dataclass(frozen=True)
class _Value:
    """A tensor on its way; `rounded` where it has the values of the file.

    `factor` is a rescaling that was left out, for the kernel that comes next.
    """

    tensor: Any
    rounded: bool = False
    factor: float = 1.0


class _Builder:
    """One walk over the plan; layers that are shared stay so."""

    def __init__(self, planned: Plan) -> None:
        self.plan = planned
        self.values: dict[int, _Value] = {}
        self.names: Counter[str] = Counter()
        self.sources: dict[int, str] = {place: "pixels" for place, _ in planned.inputs}
        self.made: dict[Any, Any] = {}
        self.weights: list[tuple[Any, Sequence[Any]]] = []

    def run(self, name: str) -> keras.Model:
        inputs: list[Any] = []
        for place, tensor in self.plan.inputs:
            inputs.append(keras.Input(batch_shape=tensor.shape, name=f"images{len(inputs) or ''}"))
            self._round(place, inputs[-1], PIXELS)
        for call in self.plan.calls:
            word = f".{call.activation}" if call.activation else ""
            self.sources[call.output] = call.name + word
            getattr(self, f"_{call.kind}")(call)
        outputs = [self._rounded(place) for place in self.plan.outputs]
        made = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=name)
        for layer, weights in self.weights:
            layer(weights)
        return made

    # What is rounded, and where.

    def _round(
        self,
        place: int,
        tensor: Any,
        fixed: tuple[float, float] | None = None,
        average: bool = False,
    ) -> None:
        """Put a tensor in its place, rounded to the scale that the place has."""
        key = ("scale", self.plan.scale[place])
        if key not in self.made:
            name = self._name(f"{self.sources[place]}.scale")
            self.made[key] = FakeQuantize(fixed, name=name)
        others = {"average": True} if average else {}
        self.values[place] = _Value(self.made[key](tensor, **others), rounded=True)

    def _name(self, wanted: str) -> str:
        """A name that no other layer has: layers that are shared are called several times."""
        self.names[wanted] += 1
        return wanted if self.names[wanted] == 1 else f"{wanted}.{self.names[wanted]}"

    def _rounded(self, place: int) -> Any:
        """The tensor at a place, rounded now if it was not."""
        value = self.values[place]
        if not value.rounded:
            self._round(place, value.tensor)
        return self.values[place].tensor

    def _put(self, call: Call, tensor: Any, rounded: bool = False, factor: float = 1.0) -> None:
        """Note what a call comes to; whoever needs it rounded has it rounded."""
        self.values[call.output] = _Value(tensor, rounded, factor)

    def _given(self, call: Call) -> list[Any]:
        return [self._rounded(place) for place in call.inputs]

    # Layers with kernels, and what is folded into them.

    def _kernel(self, call: Call) -> None:
        value = self.values[call.inputs[0]]
        tensor = value.tensor if value.factor != 1.0 else self._rounded(call.inputs[0])
        layer = self._quantized(call.operation, call.name, _numbers(call.operation), value.factor)
        self._put(call, layer(tensor))

    def _quantized(
        self, source: Any, name: str, weights: Sequence[Any], factor: float = 1.0
    ) -> QuantizedKernel:
        """The layer `source` with a rounded kernel, once for all its calls."""
        key = (id(source), name, factor)
        if key not in self.made:
            kernel = weights[0]
            different = len(np.unique(kernel))
            clustered = different <= min(MOST_CLUSTERS, kernel.size // 4)
            layer = QuantizedKernel(
                _copy(source, name, activation="linear"),
                sparse=bool((kernel == 0).any()),
                clusters=different if clustered else 0,
                factor=factor,
                name=f"{name}.rounded",
            )
            self.made[key] = layer
            self.weights.append((layer.begin, weights))
        made: QuantizedKernel = self.made[key]
        return made

    def _separable(self, call: Call) -> None:
        """A depthwise convolution, whose result the file holds, and one across channels."""
        source = call.operation
        config = source.get_config()
        shared = ("strides", "padding", "depth_multiplier", "dilation_rate", "kernel_size")
        depthwise = layers.DepthwiseConv2D(
            **{key: config[key] for key in shared}, use_bias=False, name=f"{call.name}.depthwise"
        )
        pointwise = layers.Conv2D(
            source.filters, 1, use_bias=source.use_bias, name=f"{call.name}.pointwise"
        )
        kernels = [np.asarray(source.depthwise_kernel), np.asarray(source.pointwise_kernel)]
        bias = [np.asarray(source.bias)] if source.use_bias else []
        key = (id(source), "layers")
        depthwise, pointwise = self.made.setdefault(key, (depthwise, pointwise))
        between = self._quantized(depthwise, depthwise.name, kernels[:1])(
            self._rounded(call.inputs[0])
        )
        between = FakeQuantize(name=self._name(f"{call.name}.between"))(between)
        across = self._quantized(pointwise, pointwise.name, [kernels[1], *bias])
        self._put(call, across(between))

    def _normalization(self, call: Call) -> None:
        place = call.inputs[0]
        folded = call.output in self.plan.fused
        tensor = self.values[place].tensor if folded else self._rounded(place)
        self._put(call, self._same(call)(tensor))

    def _pixels(self, call: Call) -> None:
        """Fold a factor into the kernels behind it; else the file has an operation for it."""
        scale, offset = affine(call.operation)
        place = call.inputs[0]
        value = self.values[place]
        if not offset.any() and len(np.unique(scale)) == 1 and self._meets_kernels(call.output):
            factor = float(scale.flat[0]) * value.factor
            self._put(call, self._rounded(place), True, factor)
            return
        if value.factor != 1.0:
            raise ConversionError(f"qat: layer '{call.name}' follows another rescaling")
        given = self._rounded(place)
        layer = ChannelAffine(name=f"{call.name}.affine")
        low, high = self._range(place)
        ends = np.stack([low * scale + offset, high * scale + offset])
        channels = given.shape[-1]
        weights = [np.broadcast_to(one, (channels,)) for one in (scale, offset)]
        self.weights.append((layer.set_weights, weights))
        # A hair wider: of -1..1, every byte would lie just between two values of the file.
        fixed = (min(WIDER * float(ends.min()), 0.0), max(WIDER * float(ends.max()), 0.0))
        layer.trainable = False
        self._round(call.output, layer(given), fixed)

    def _meets_kernels(self, place: int) -> bool:
        """Whether all that comes of a tensor, moved at most, goes into kernels."""
        readers = [one for one in self.plan.calls if place in one.inputs]
        return place not in self.plan.outputs and all(
            one.kind == "kernel" or (one.kind == "move" and self._meets_kernels(one.output))
            for one in readers
        )

    def _range(self, place: int) -> tuple[float, float]:
        """The fixed range of a tensor of pixels."""
        fixed = self.made["scale", self.plan.scale[place]].fixed
        if fixed is None:
            raise ConversionError(
                f"qat: {self.sources[place]}: rescaled inside the network, not in front: take int8"
            )
        return (float(fixed[0]), float(fixed[1]))

    # What computes without a kernel.

    def _sum(self, call: Call) -> None:
        """The file adds two tensors at a time, and holds what is between."""
        word = type(call.operation).__name__
        if call.constant is not None:
            self._scalar(call, "add", -call.constant if word == "Subtract" else call.constant)
            return
        kind = getattr(layers, word)
        first, *rest = self._given(call)
        for number, other in enumerate(rest):
            if number:
                first = FakeQuantize(name=self._name(f"{call.name}.between"))(first)
            first = kind(name=self._name(call.name))([first, other])
        self._put(call, first)

    def _product(self, call: Call) -> None:
        if call.constant is not None:
            self._scalar(call, "multiply", call.constant)
        else:
            self._sum(call)

    def _scalar(self, call: Call, kind: str, number: float) -> None:
        layer = Scalar(kind, number, name=self._name(f"{call.name}.scalar"))
        self._put(call, layer(self._rounded(call.inputs[0])))

    def _mean(self, call: Call) -> None:
        self._put(call, self._same(call)(*self._given(call)))

    def _move(self, call: Call) -> None:
        factor = self.values[call.inputs[0]].factor
        moved = self._same(call)(*self._given(call))
        self._put(call, moved, rounded=True, factor=factor)

    def _average(self, call: Call) -> None:
        self._round(call.output, self._same(call)(*self._given(call)), average=True)

    def _join(self, call: Call) -> None:
        if len({self.plan.scale[place] for place in (*call.inputs, call.output)}) > 1:
            raise ConversionError(
                f"qat: layer '{call.name}' joins a tensor whose range the file fixes (pixels, a "
                "sigmoid) with others: take int8"
            )
        self._put(call, self._same(call)(self._given(call)), rounded=True)

    def _activation(self, call: Call) -> None:
        place, name = call.inputs[0], self._name(f"{call.name}.{call.activation}")
        if call.output in self.plan.fused:
            self._put(call, rectifier(call.activation, name)(self.values[place].tensor))
            return
        given = self._rounded(place)
        match call.activation:
            case "relu":
                self._put(call, rectifier(call.activation, name)(given), rounded=True)
            case "relu6":
                self._round(call.output, rectifier(call.activation, name)(given))
            case "hard_sigmoid":
                self._round(call.output, hard_sigmoid(given, name), CURVES["hard_sigmoid"])
            case "silu" | "hard_silu":
                by = gate(given, name, hard=call.activation == "hard_silu")
                self._put(call, layers.Multiply(name=name)([given, by]))
            case "leaky_relu":
                slope = getattr(call.operation, "negative_slope", 0.2)
                self._put(call, layers.LeakyReLU(slope, name=name)(given))
            case curve:
                tensor = layers.Activation(curve, name=name)(given)
                self._round(call.output, tensor, CURVES[curve])

    def _same(self, call: Call) -> Any:
        """A copy of a layer, one for all its calls."""
        key = (id(call.operation), call.name)
        if key not in self.made:
            layer = self.made[key] = _copy(call.operation, call.name)
            self.weights.append((layer.set_weights, call.operation.get_weights()))
        return self.made[key]


def _copy(layer: Any, name: str, **changes: Any) -> Any:
    config = layer.get_config() | {"name": name, "dtype": "float32"} | changes
    return type(layer).from_config(config)


def _numbers(layer: Any) -> list[Any]:
    """Kernel and bias of a layer."""
    bias = [np.asarray(layer.bias)] if layer.use_bias else []
    return [np.asarray(kernel_of(layer)), *bias]
