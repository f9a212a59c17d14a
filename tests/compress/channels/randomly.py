"""Random networks of all layers with a rule, drawn step by step by Hypothesis."""

import keras
from hypothesis import strategies as st
from keras import layers as L


def random_network(draw, steps=10):
    """Grow a network from pictures (8, 8, 3); every step reads one of the last three maps.

    The plainest of each choice comes first, so that a failure shrinks to few steps and channels.
    It is no strategy of its own, as Keras seeds initializers by `random`, which those may not use.
    """
    images = keras.Input((8, 8, 3))
    maps = [L.Conv2D(draw(st.integers(4, 11)), 3, padding="same")(images)]
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=steps)):
        maps.append(step(draw(st.sampled_from(maps[:-4:-1])), maps, draw))
    if draw(st.booleans()):
        x = L.Flatten()(L.AveragePooling2D(4)(maps[-1]))
    else:
        x = L.GlobalMaxPooling2D()(maps[-1])
    aside = L.GlobalAveragePooling2D()(maps[len(maps) // 2])
    return keras.Model(images, [L.Dense(3)(L.Dense(6, activation="relu")(x)), L.Dense(2)(aside)])


def _convolve(x, maps, draw):
    form, channels = draw(st.integers(0, 3)), draw(st.integers(3, 12))
    if form == 0:
        return L.Conv2D(channels, 3, padding="same", activation="relu")(x)
    if form == 1:
        return L.SeparableConv2D(channels, 3, padding="same", depth_multiplier=2)(x)
    if form == 2:
        return L.Conv2DTranspose(channels, 3, padding="same", use_bias=False)(x)
    return L.Dense(channels, activation="elu")(x)


def _group(x, maps, draw):
    groups = draw(st.sampled_from([n for n in range(1, x.shape[-1] + 1) if x.shape[-1] % n == 0]))
    if draw(st.booleans()):
        return L.GroupNormalization(groups)(x)
    return L.Conv2D(groups * draw(st.integers(1, 3)), 3, padding="same", groups=groups)(x)


def _depthwise(x, maps, draw):
    multiplier = draw(st.integers(1, 2)) if x.shape[-1] < 20 else 1
    return L.DepthwiseConv2D(3, padding="same", depth_multiplier=multiplier)(x)


def _normalize(x, maps, draw):
    return L.PReLU()(x) if draw(st.booleans()) else L.ReLU()(L.BatchNormalization()(x))


def _join(x, maps, draw):
    other = draw(st.sampled_from(maps))
    return L.Concatenate()([x, other]) if x.shape[-1] < 30 else x


def _combine(x, maps, draw):
    alike = [one for one in maps if one.shape == x.shape and one is not x]
    if not alike or draw(st.booleans()):
        alike = [L.Conv2D(x.shape[-1], 1)(draw(st.sampled_from(maps)))]
    layer = draw(st.sampled_from((L.Add, L.Subtract, L.Multiply, L.Maximum, L.Average)))
    return layer()([x, draw(st.sampled_from(alike))])


def _squeeze(x, maps, draw):
    gate = L.GlobalAveragePooling2D()(x)
    gate = L.Dense(x.shape[-1], activation="sigmoid")(L.Dense(3, activation="silu")(gate))
    return x * L.Reshape((1, 1, x.shape[-1]))(gate)


def _move(x, maps, draw):
    if draw(st.booleans()):
        return L.UpSampling2D()(L.MaxPooling2D()(x))
    return L.Permute((2, 1, 3))(L.ZeroPadding2D(1)(L.Cropping2D(1)(x)))


def _shuffle(x, maps, draw):
    """Channel shuffle: split in two, exchange, put together again."""
    height, width, channels = x.shape[1:]
    if channels % 2:
        return L.Dropout(0.2)(x)
    x = L.Permute((1, 2, 4, 3))(L.Reshape((height, width, 2, channels // 2))(x))
    return L.Reshape((height, width, channels))(x)


def _twice(x, maps, draw):
    layer = L.Conv2D(x.shape[-1], 3, padding="same", activation="tanh")
    return layer(layer(x))


STEPS = (
    *(_convolve, _normalize, _depthwise, _join, _combine),
    *(_group, _squeeze, _move, _shuffle, _twice),
)
