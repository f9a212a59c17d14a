"""Small networks of every kind of tie between channels, from pictures (8, 8, 3) to scores."""

import keras
import numpy as np
from keras import layers as L


def _conv(x, channels, kernel=3, **arguments):
    return L.Conv2D(channels, kernel, padding="same", **arguments)(x)


def _ending(images, x, name):
    x = L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x))
    return keras.Model(images, x, name=name)


def nested():
    """A Sequential in a functional model in another, called twice."""
    inner = keras.Sequential([keras.Input((None, None, 12)), L.Conv2D(12, 3, padding="same")])
    given = keras.Input((None, None, 12))
    block = keras.Model(given, L.ReLU()(L.BatchNormalization()(inner(given))), name="block")
    images = keras.Input((8, 8, 3))
    x = block(L.MaxPooling2D()(block(_conv(images, 12))))
    return _ending(images, _conv(x, 10), "nested")


def sequential():
    inner = keras.Sequential(
        [keras.Input((4, 4, 9)), L.Conv2D(6, 3, activation="relu"), L.BatchNormalization()]
    )
    parts = [L.Conv2D(9, 3, padding="same"), L.MaxPooling2D(), inner, L.Flatten(), L.Dense(7)]
    return keras.Sequential([keras.Input((8, 8, 3)), *parts, L.Dense(5)], name="sequential")


def shared():
    """One convolution over its own output, then over another branch."""
    images = keras.Input((8, 8, 3))
    x, y = _conv(images, 8), _conv(images, 8, activation="relu")
    again = L.Conv2D(8, 3, padding="same", activation="tanh")
    return _ending(images, L.Concatenate()([again(again(x)), _conv(again(y), 6)]), "shared")


def two_ways():
    """Two inputs and two outputs, one of them in the middle."""
    images, facts = keras.Input((8, 8, 3), name="images"), keras.Input((4,), name="facts")
    x = _conv(images, 10, activation="relu")
    gate = L.Reshape((1, 1, 10))(L.Dense(10, activation="sigmoid")(facts))
    middle = _conv(x, 6, name="middle")
    x = _conv(L.Multiply()([x, gate]), 9)
    x = L.Concatenate()([L.GlobalMaxPooling2D()(x), L.GlobalAveragePooling2D()(middle)])
    return keras.Model({"images": images, "facts": facts}, [middle, L.Dense(5)(x)], name="two_ways")


def grouped():
    """Few wide groups grow thinner, many narrow ones go whole."""
    images = keras.Input((8, 8, 3))
    x = L.Conv2D(18, 3, padding="same", groups=2, activation="relu")(_conv(images, 12))
    x = L.BatchNormalization()(_conv(x, 12))
    x = L.Conv2D(12, 3, padding="same", groups=6)(x)
    return _ending(images, _conv(L.Conv2D(24, 3, groups=12)(x), 7), "grouped")


def multiplied():
    """Depth multipliers, a separable and a transposed convolution."""
    images = keras.Input((8, 8, 3))
    x = L.DepthwiseConv2D(3, depth_multiplier=4)(images)
    x = L.DepthwiseConv2D(3, 2, depth_multiplier=3, padding="same")(_conv(x, 6))
    x = L.SeparableConv2D(10, 3, padding="same", depth_multiplier=2)(L.BatchNormalization()(x))
    return _ending(images, _conv(L.Conv2DTranspose(8, 3, 2)(x), 6), "multiplied")


def flattened():
    images = keras.Input((8, 8, 3))
    x = L.MaxPooling2D()(_conv(images, 8, activation="relu"))
    x = L.Dense(12, activation="relu")(L.Flatten()(L.Permute((2, 1, 3))(x)))
    x = L.Dropout(0.5)(L.PReLU()(L.Reshape((2, 2, 3))(x)))
    return keras.Model(images, L.Dense(5)(L.Flatten()(x)), name="flattened")


def joined():
    """Concatenations of concatenations, read by sums and by branches."""
    images = keras.Input((8, 8, 3))
    a, b, c = _conv(images, 5), _conv(images, 6, 1), _conv(images, 7)
    left = L.Concatenate()([a, L.Concatenate()([b, c, a])])
    x = L.Add()([left, _conv(L.ReLU()(left), 23)])
    x = L.Maximum()([x, L.Average()([_conv(images, 23), L.Concatenate()([images, _conv(c, 20)])])])
    return _ending(images, _conv(L.BatchNormalization()(x), 6), "joined")


def squeezed():
    """Squeeze and excitation twice: with its map kept, and by way of a reshape and operations."""
    images = keras.Input((8, 8, 3))
    x = _conv(images, 12, activation="silu")
    gate = _conv(L.GlobalAveragePooling2D(keepdims=True)(x), 4, 1, activation="relu")
    x = _conv(L.Multiply()([x, _conv(gate, 12, 1, activation="sigmoid")]), 10)
    gate = L.Dense(10)(L.Dense(3, activation="relu")(L.GlobalAveragePooling2D()(x)))
    gate = L.ReLU(6.0)(keras.ops.reshape(gate, (-1, 1, 1, 10)) + 3.0) * (1 / 6)
    return _ending(images, _conv(x * gate, 8), "squeezed")


def normalized():
    """Every normalization that keeps channels apart; groups of them go whole."""
    images = keras.Input((8, 8, 3))
    x = L.GroupNormalization(4)(_conv(images, 12))
    x = L.PReLU(shared_axes=[1, 2])(L.GroupNormalization(-1)(_conv(x, 10)))
    fixed = L.Normalization(axis=-1)
    x = fixed(_conv(L.Rescaling(0.5, 0.1)(x), 9))
    x = keras.ops.transpose(L.BatchNormalization()(x), (0, 2, 1, 3))
    return _ending(images, _conv(x, 6), "normalized")


def gray():
    """A single channel that serves all others, and one without any to remove beside it."""
    images = keras.Input((8, 8, 3))
    x = _conv(images, 8)
    mask = _conv(x, 1, activation="sigmoid")
    x = L.Subtract()([L.Multiply()([x, mask]), L.UpSampling2D()(L.AveragePooling2D(2)(x))])
    x = L.ZeroPadding2D(1)(L.Cropping2D(1)(L.SpatialDropout2D(0.3)(L.LeakyReLU()(x))))
    return _ending(images, _conv(x, 6), "gray")


def addressed():
    """A nested model of a list of inputs, called with a dict, which Keras takes by their names."""
    first, second = keras.Input((8, 8, 5), name="b"), keras.Input((8, 8, 5), name="a")
    inner = keras.Model([first, second], L.Concatenate()([first, _conv(second, 4)]))
    images = keras.Input((8, 8, 3))
    x = inner({"b": _conv(images, 5), "a": _conv(images, 5, activation="relu")})
    return _ending(images, _conv(x, 6), "addressed")


def turned():
    """Axes counted from the end, and maps that the batch takes apart and puts together again."""
    images = keras.Input((8, 8, 3))
    x = _conv(keras.ops.transpose(_conv(images, 8), (0, 2, 1, -1)), 6)
    x = L.Dense(6)(keras.ops.reshape(_conv(x, 6), (-1, 8, 6)))
    return _ending(images, _conv(keras.ops.reshape(x, (-1, 8, 8, 6)), 8), "turned")


def worded():
    """A sentence: embedding, 1-D convolutions of several widths, maximum over time."""
    words = keras.Input((12,), dtype="int32")
    x = L.Embedding(20, 10)(words)
    x = [L.GlobalMaxPooling1D()(L.Conv1D(6, size, activation="relu")(x)) for size in (2, 3)]
    return keras.Model(words, L.Dense(2)(L.Concatenate()(x)), name="worded")


SMALL = {
    made.__name__: made
    for made in (
        *(nested, sequential, shared, two_ways, grouped, multiplied, flattened, joined),
        *(squeezed, normalized, gray, addressed, turned, worded),
    )
}


def batch(model, rng, size=4):
    """Something of the right shape for every input, in the structure the model takes."""

    def one(tensor):
        shape = (size, *tensor.shape[1:])
        if tensor.dtype == "int32":
            return rng.integers(0, 20, shape).astype("int32")
        return rng.uniform(0, 1, shape).astype("float32")

    if isinstance(model, keras.Sequential):
        return one(model.inputs[0])
    return keras.tree.map_structure(one, model._inputs_struct)


def outputs(model, given):
    """All that a model gives, as arrays."""
    return [np.asarray(one) for one in keras.tree.flatten(model(given, training=False))]
