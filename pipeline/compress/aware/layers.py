"""The layers that round: activations to the file's 256 values, kernels to its 255."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

PACKAGE = "pix2pocket"
MOMENTUM = 0.99  # of a range that follows what training sees, a step
BATCH = 64


@keras.saving.register_keras_serializable(PACKAGE)
class FakeQuantize(keras.layers.Layer):
    """Round activations of any shape to the 256 values of one scale and zero point.

    The range is what `calibrate` saw, and then moves with what training sees: lowest and highest
    value of a batch, as a moving average. One layer may be called at several places, whose tensors
    then have one scale. With `fixed`, `(lowest, highest)`, the range stays.

    Gradients pass where a value lies in the range, and are zero where it was clipped (Jacob et
    al., 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", sect. 3).
    """

    def __init__(self, fixed: tuple[float, float] | None = None, **others: Any) -> None:
        super().__init__(**others)
        self.fixed = tuple(fixed) if fixed else None
        self.observing = False

    def build(self, input_shape: Any) -> None:
        """Make the two ends of the range."""
        if self.built:  # each place it is called at has a shape of its own
            return
        low, high = self.fixed or (0.0, 0.0)
        self.low = self._end("low", low)
        self.high = self._end("high", high)
        super().build(input_shape)

    def _end(self, name: str, value: float) -> Any:
        initial = keras.initializers.Constant(value)
        return self.add_weight((), initial, name=name, trainable=False)

    def call(self, inputs: Any, training: bool | None = None, average: bool = False) -> Any:
        """Round `inputs`, of which halves as the file does an `average` of its integers.

        While `calibrate` runs, only look at them.
        """
        if self.observing and self.fixed is None:
            self.low.assign(tf.minimum(self.low, tf.reduce_min(inputs)))
            self.high.assign(tf.maximum(self.high, tf.reduce_max(inputs)))
            return inputs
        if training and self.trainable and self.fixed is None:
            self._follow(inputs)
        low, high = tf.convert_to_tensor(self.low), tf.convert_to_tensor(self.high)
        if average:
            inputs = _away_from_zero(inputs, low, high)
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)

    def _follow(self, inputs: Any) -> None:
        # Zero stays in the range: it has to have a value, for padding and for ReLU.
        lowest = tf.minimum(tf.reduce_min(inputs), 0.0)
        highest = tf.maximum(tf.reduce_max(inputs), 0.0)
        for end, seen in ((self.low, lowest), (self.high, highest)):
            end.assign(MOMENTUM * end + (1 - MOMENTUM) * tf.stop_gradient(seen))

    def get_config(self) -> dict[str, Any]:
        """Arguments it can be made with again."""
        config: dict[str, Any] = super().get_config()
        return config | {"fixed": self.fixed}


@keras.saving.register_keras_serializable(PACKAGE)
class QuantizedKernel(keras.layers.Wrapper):
    """A convolution or dense layer that computes with its kernel rounded, channel by channel.

    Each output channel has 255 values, even about zero, up to its largest weight: a batch
    normalization behind it scales channels, so the same integers serve once it is folded. With
    `sparse` the zeros it begins with stay. With `clusters` of them, weights of one value keep
    one value, `centroids[indices]`, and it is those that learn. `factor` multiplies the rounded
    kernel: a rescaling of pixels in front, folded.
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        sparse: bool = False,
        clusters: int = 0,
        factor: float = 1.0,
        **others: Any,
    ) -> None:
        super().__init__(layer, **others)
        self.sparse, self.clusters, self.factor = sparse, clusters, factor

    def build(self, input_shape: Any) -> None:
        """Build the layer, and what holds its zeros and clusters."""
        super().build(input_shape)
        shape = kernel_of(self.layer).shape
        if self.sparse:
            self.mask = self.add_weight(shape, "ones", name="mask", trainable=False)
        if self.clusters:
            self.indices = self.add_weight(shape, "zeros", "int32", name="indices", trainable=False)
            self.centroids = self.add_weight((self.clusters,), "zeros", name="centroids")
            kernel_of(self.layer).trainable = False

    def begin(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Begin with a kernel, and a bias where it has one; note its zeros and its clusters."""
        kernel = weights[0]
        self.layer.set_weights(list(weights))
        if self.sparse:
            self.mask.assign((kernel != 0).astype(np.float32))
        if self.clusters:
            values, indices = np.unique(kernel, return_inverse=True)
            self.centroids.assign(np.resize(values, self.clusters))
            self.indices.assign(indices.reshape(kernel.shape).astype(np.int32))

    def kernel(self) -> Any:
        """The kernel it computes with."""
        kernel = tf.convert_to_tensor(kernel_of(self.layer))
        if self.clusters:
            kernel = tf.gather(
                tf.convert_to_tensor(self.centroids), tf.convert_to_tensor(self.indices)
            )
        if self.sparse:
            kernel *= tf.convert_to_tensor(self.mask)
        return round_kernel(kernel, self.layer) * self.factor

    def call(self, inputs: Any) -> Any:
        """Compute what the layer computes, with the rounded kernel."""
        with keras.StatelessScope(state_mapping=[(kernel_of(self.layer), self.kernel())]):
            return self.layer(inputs)

    def get_config(self) -> dict[str, Any]:
        """Arguments it can be made with again."""
        own = {"sparse": self.sparse, "clusters": self.clusters, "factor": self.factor}
        config: dict[str, Any] = super().get_config()
        return config | own


@keras.saving.register_keras_serializable(PACKAGE)
class ChannelAffine(keras.layers.Layer):
    """`x * scale + offset`, channel by channel, `(B, H, W, C)` or `(B, C)`.

    A 1x1 depthwise convolution in the file: one operation, whose one weight a channel is exact in
    int8, where a product and a sum would be two with their factors rounded together.
    """

    def build(self, input_shape: Any) -> None:
        """Make scale and offset."""
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
        self.offset = self.add_weight((input_shape[-1],), "zeros", name="offset")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Scale and shift."""
        flat = inputs.shape.rank == 2
        x = inputs[:, None, None, :] if flat else inputs
        kernel = tf.reshape(tf.convert_to_tensor(self.scale), (1, 1, -1, 1))
        x = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID")
        x = tf.nn.bias_add(x, tf.convert_to_tensor(self.offset))
        return tf.reshape(x, (-1, inputs.shape[-1])) if flat else x


@keras.saving.register_keras_serializable(PACKAGE)
class Scalar(keras.layers.Layer):
    """`x + constant` or `x * constant`: an operation of the file with one number in it."""

    def __init__(self, kind: str, constant: float, **others: Any) -> None:
        super().__init__(**others)
        self.kind, self.constant = kind, constant

    def call(self, inputs: Any) -> Any:
        """Add or multiply."""
        return inputs + self.constant if self.kind == "add" else inputs * self.constant

    def get_config(self) -> dict[str, Any]:
        """Arguments it can be made with again."""
        config: dict[str, Any] = super().get_config()
        return config | {"kind": self.kind, "constant": self.constant}


def _away_from_zero(values: Any, low: Any, high: Any) -> Any:
    """Move values a little off the middle of two neighbours, to where int8 averages are rounded.

    Means of integers are often just between two. TensorFlow rounds those up; the kernel of TFLite
    away from zero, which is the integer 0, in the midst of the range, not the number.
    """
    step = tf.maximum(high - low, 1e-12) / 255
    middle = (128 - tf.round(-low / step)) * step
    return values + tf.stop_gradient(tf.where(values < middle, -1e-3, 1e-3) * step)


def kernel_of(layer: keras.layers.Layer) -> Any:
    """The variable of a layer's kernel; some layers show it through a property."""
    return layer._kernel if hasattr(layer, "_kernel") else layer.kernel


def channel_axes(layer: keras.layers.Layer) -> tuple[int, ...]:
    """The axes of a layer's kernel that number its output channels."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return (2, 3)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return (2,)
    return (len(kernel_of(layer).shape) - 1,)


def round_kernel(kernel: Any, layer: keras.layers.Layer) -> Any:
    """Round a kernel to 255 values in each output channel, zero in their midst."""
    axes, rank = channel_axes(layer), len(kernel.shape)
    others = [axis for axis in range(rank) if axis not in axes]
    order = [*others, *axes]
    channels = int(np.prod([kernel.shape[axis] for axis in axes]))
    flat = tf.reshape(tf.transpose(kernel, order), (-1, channels))
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(flat), axis=0))
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        flat, -largest, largest, narrow_range=True
    )
    shape = [kernel.shape[axis] for axis in order]
    back = [order.index(axis) for axis in range(rank)]
    return tf.transpose(tf.reshape(rounded, shape), back)


def calibrate(model: keras.Model, images: NDArray[Any]) -> None:
    """Set every range of a quantization-aware model to what it holds of `images` `(N, H, W, C)`."""
    with _observing(model):
        for start in range(0, len(images), BATCH):
            model(images[start : start + BATCH].astype(np.float32), training=False)


@contextmanager
def _observing(model: keras.Model) -> Iterator[None]:
    layers = [layer for layer in model.layers if isinstance(layer, FakeQuantize)]
    for layer in layers:
        layer.observing = True
    try:
        yield
    finally:
        for layer in layers:
            layer.observing = False
