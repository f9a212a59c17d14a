"""The Keras model of a list of layers."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from models.blocks.activation import activate
from models.blocks.convolution import convolve, depthwise_start, finish
from models.blocks.naming import part
from models.blocks.normalization import normalize
from models.blocks.regularization import drop, penalty
from models.blocks.size import classified
from models.custom import joins, kernels
from models.custom import layers as others
from models.custom.base import Finished, Joining
from models.custom.reading import read, shapes


def custom(
    input_shape: tuple[int, int, int], classes: int, layers: list[Any] | None = None
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities by a list of `layers`.

    Each item is a word, a word with its main argument, or a word with several, as
    `show layers` lists them. A layer continues the one before unless it says `from: NAME`; `add`,
    `multiply` and `concatenate` join the layers that `of` names; `images` is the input. The list
    ends before the classifier: a dense layer and softmax (sigmoid where a picture may show several
    classes), `probabilities`, are put behind it, and global average pooling in between where the
    list ends in feature maps. In Keras a layer is called by its number and name, `3.left`, or by
    its number and kind, `3.conv`.

    Raises:
        ValueError: naming the layer that is wrong, or does not fit pictures of `input_shape`.
    """
    placed = read(layers)
    shapes(placed, tuple(input_shape))
    tensors = [keras.Input(input_shape, name="images")]
    for item in placed:
        given = [tensors[source] for source in item.sources]
        x = given if isinstance(item.layer, Joining) else given[0]
        tensors.append(MAKERS[type(item.layer)](x, item.layer, item.label))
    features = tensors[-1]
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(name="features")(features)
    return classified(tensors[0], features, classes, "custom")


def _conv(x: Any, layer: kernels.Conv, name: str) -> Any:
    return convolve(
        x,
        layer.channels,
        layer.kernel,
        layer.stride,
        normalization=layer.normalization,
        activation=layer.activation,
        name=name,
        padding=layer.padding,
        dilation_rate=layer.dilation,
        groups=layer.groups,
        kernel_regularizer=penalty(layer.l1, layer.l2),
    )


def _depthwise_conv(x: Any, layer: kernels.DepthwiseConv, name: str) -> Any:
    x = keras.layers.DepthwiseConv2D(
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.multiplier,
        dilation_rate=layer.dilation,
        use_bias=layer.normalization == "none",
        depthwise_initializer=depthwise_start(layer.kernel),
        depthwise_regularizer=penalty(layer.l1, layer.l2),
        name=name,
    )(x)
    return _finish(x, layer, name)


def _separable_conv(x: Any, layer: kernels.SeparableConv, name: str) -> Any:
    x = keras.layers.SeparableConv2D(
        layer.channels,
        layer.kernel,
        layer.stride,
        layer.padding,
        dilation_rate=layer.dilation,
        use_bias=layer.normalization == "none",
        depthwise_initializer=depthwise_start(layer.kernel),
        pointwise_initializer="he_normal",
        depthwise_regularizer=penalty(layer.l1, layer.l2),
        pointwise_regularizer=penalty(layer.l1, layer.l2),
        name=name,
    )(x)
    return _finish(x, layer, name)


def _transposed_conv(x: Any, layer: kernels.TransposedConv, name: str) -> Any:
    x = keras.layers.Conv2DTranspose(
        layer.channels,
        layer.kernel,
        layer.stride,
        layer.padding,
        use_bias=layer.normalization == "none",
        kernel_initializer="he_normal",
        kernel_regularizer=penalty(layer.l1, layer.l2),
        name=name,
    )(x)
    return _finish(x, layer, name)


def _dense(x: Any, layer: kernels.Dense, name: str) -> Any:
    x = keras.layers.Dense(
        layer.units,
        use_bias=layer.normalization == "none",
        kernel_initializer="he_normal",
        kernel_regularizer=penalty(layer.l1, layer.l2),
        name=name,
    )(x)
    return _finish(x, layer, name)


def _finish(x: Any, layer: Finished, name: str) -> Any:
    return finish(x, layer.normalization, layer.activation, name)


def _elementwise(x: Any, layer: joins.Add | joins.Multiply, name: str) -> Any:
    join = keras.layers.Add if isinstance(layer, joins.Add) else keras.layers.Multiply
    return activate(join(name=name)(x), layer.activation, part(name, "activation"))


def _pool(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, layer, name: make(layer.size, layer.stride, layer.padding, name=name)(x)


def _plain(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, layer, name: make(name=name)(x)


MAKERS: Mapping[type, Callable[..., Any]] = {
    kernels.Conv: _conv,
    kernels.DepthwiseConv: _depthwise_conv,
    kernels.SeparableConv: _separable_conv,
    kernels.TransposedConv: _transposed_conv,
    others.MaxPool: _pool(keras.layers.MaxPooling2D),
    others.AveragePool: _pool(keras.layers.AveragePooling2D),
    others.GlobalMaxPool: _plain(keras.layers.GlobalMaxPooling2D),
    others.GlobalAveragePool: _plain(keras.layers.GlobalAveragePooling2D),
    others.Upsample: lambda x, layer, name: keras.layers.UpSampling2D(
        layer.factor, interpolation=layer.interpolation, name=name
    )(x),
    others.Flatten: _plain(keras.layers.Flatten),
    kernels.Dense: _dense,
    others.Normalize: lambda x, layer, name: normalize(
        x, layer.kind, groups=layer.groups, name=name
    ),
    others.Activate: lambda x, layer, name: activate(x, layer.kind, name),
    others.Dropout: lambda x, layer, name: drop(x, layer.rate, "dropout", name),
    others.SpatialDropout: lambda x, layer, name: drop(x, layer.rate, "spatial_dropout", name),
    joins.Add: _elementwise,
    joins.Multiply: _elementwise,
    joins.Concatenate: lambda x, layer, name: keras.layers.Concatenate(name=name)(x),
}
