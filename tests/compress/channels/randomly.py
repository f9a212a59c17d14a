"""Random networks of all layers with a rule: drawn step by step from a seed."""

import keras
from keras import layers as L


def random_network(rng, steps=10):
    """Grow a network from pictures (8, 8, 3); every step reads some of the maps made so far."""
    images = keras.Input((8, 8, 3))
    maps = [L.Conv2D(int(rng.integers(4, 12)), 3, padding="same")(images)]
    for _ in range(steps):
        step = STEPS[int(rng.integers(len(STEPS)))]
        maps.append(step(maps[int(rng.integers(max(0, len(maps) - 3), len(maps)))], maps, rng))
    if rng.uniform() < 0.5:
        x = L.Flatten()(L.AveragePooling2D(4)(maps[-1]))
    else:
        x = L.GlobalMaxPooling2D()(maps[-1])
    aside = L.GlobalAveragePooling2D()(maps[len(maps) // 2])
    return keras.Model(images, [L.Dense(3)(L.Dense(6, activation="relu")(x)), L.Dense(2)(aside)])


def _channels(rng):
    return int(rng.integers(3, 13))


def _convolve(x, maps, rng):
    form = int(rng.integers(4))
    if form == 0:
        return L.Conv2D(_channels(rng), 3, padding="same", activation="relu")(x)
    if form == 1:
        return L.SeparableConv2D(_channels(rng), 3, padding="same", depth_multiplier=2)(x)
    if form == 2:
        return L.Conv2DTranspose(_channels(rng), 3, padding="same", use_bias=False)(x)
    return L.Dense(_channels(rng), activation="elu")(x)


def _group(x, maps, rng):
    divisors = [n for n in range(1, x.shape[-1] + 1) if x.shape[-1] % n == 0]
    groups = int(rng.choice(divisors))
    if rng.uniform() < 0.3:
        return L.GroupNormalization(groups)(x)
    return L.Conv2D(groups * int(rng.integers(1, 4)), 3, padding="same", groups=groups)(x)


def _depthwise(x, maps, rng):
    multiplier = int(rng.integers(1, 3)) if x.shape[-1] < 20 else 1
    return L.DepthwiseConv2D(3, padding="same", depth_multiplier=multiplier)(x)


def _normalize(x, maps, rng):
    return L.ReLU()(L.BatchNormalization()(x)) if rng.uniform() < 0.7 else L.PReLU()(x)


def _join(x, maps, rng):
    other = maps[int(rng.integers(len(maps)))]
    return L.Concatenate()([x, other]) if x.shape[-1] < 30 else x


def _combine(x, maps, rng):
    alike = [one for one in maps if one.shape == x.shape and one is not x]
    if not alike or rng.uniform() < 0.3:
        alike = [L.Conv2D(x.shape[-1], 1)(maps[int(rng.integers(len(maps)))])]
    layer = (L.Add, L.Subtract, L.Multiply, L.Maximum, L.Average)[int(rng.integers(5))]
    return layer()([x, alike[int(rng.integers(len(alike)))]])


def _squeeze(x, maps, rng):
    gate = L.GlobalAveragePooling2D()(x)
    gate = L.Dense(x.shape[-1], activation="sigmoid")(L.Dense(3, activation="silu")(gate))
    return x * L.Reshape((1, 1, x.shape[-1]))(gate)


def _move(x, maps, rng):
    if rng.uniform() < 0.5:
        return L.UpSampling2D()(L.MaxPooling2D()(x))
    return L.Permute((2, 1, 3))(L.ZeroPadding2D(1)(L.Cropping2D(1)(x)))


def _shuffle(x, maps, rng):
    """Channel shuffle: split in two, exchange, put together again."""
    height, width, channels = x.shape[1:]
    if channels % 2:
        return L.Dropout(0.2)(x)
    x = L.Permute((1, 2, 4, 3))(L.Reshape((height, width, 2, channels // 2))(x))
    return L.Reshape((height, width, channels))(x)


def _twice(x, maps, rng):
    layer = L.Conv2D(x.shape[-1], 3, padding="same", activation="tanh")
    return layer(layer(x))


STEPS = (
    *(_convolve, _convolve, _convolve, _group, _depthwise, _normalize, _normalize, _join),
    *(_combine, _combine, _squeeze, _move, _shuffle, _twice),
)
