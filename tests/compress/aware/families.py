"""Small networks of every family, from digits (8, 8, 1) to ten scores."""

import keras
from keras import layers as L


def convolve(x, channels, kernel=3, stride=1, activation="relu"):
    x = L.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)
    return activate(L.BatchNormalization(momentum=0.9)(x), activation)


def activate(x, activation):
    return L.ReLU(6.0)(x) if activation == "relu6" else L.Activation(activation)(x)


def plain(x):
    x = convolve(convolve(x, 16), 16)
    return convolve(L.Dropout(0.1)(L.MaxPooling2D()(x)), 24)


def residual(x):
    x = convolve(x, 16)
    for _ in range(3):
        x = L.ReLU()(L.Add()([x, convolve(convolve(x, 16), 16, activation="linear")]))
    return x


def depthwise(x):
    x = convolve(x, 16)
    for _ in range(2):
        y = convolve(x, 48, 1, activation="relu6")
        y = L.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = L.ReLU(6.0)(L.BatchNormalization(momentum=0.9)(y))
        x = L.Add()([x, convolve(y, 16, 1, activation="linear")])
    return x


def inception(x):
    x = convolve(x, 16)
    for _ in range(2):
        pooled = L.AveragePooling2D(3, 1, padding="same")(x)
        branches = [convolve(x, 8, 1), convolve(convolve(x, 8, 1), 12), convolve(pooled, 8, 1)]
        x = L.Concatenate()(branches)
    return L.MaxPooling2D()(x)


def dense(x):
    x = convolve(x, 16)
    for _ in range(3):
        y = L.ReLU()(L.BatchNormalization(momentum=0.9)(x))
        x = L.Concatenate()([x, L.Conv2D(8, 3, padding="same", use_bias=False)(y)])
    x = L.ReLU()(L.BatchNormalization(momentum=0.9)(x))
    return L.AveragePooling2D(2)(L.Conv2D(16, 1)(x))


def preactivated(x):
    x = L.Conv2D(16, 3, padding="same")(x)
    for _ in range(2):
        y = L.ReLU()(L.BatchNormalization(momentum=0.9)(x))
        x = L.Add()([x, L.Conv2D(16, 3, padding="same")(convolve(y, 16))])
    return L.ReLU()(L.BatchNormalization(momentum=0.9)(x))


def squeezed(x):
    x = convolve(x, 16, activation="hard_silu")
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Conv2D(16, 1, activation="sigmoid")(L.Conv2D(8, 1, activation="silu")(gate))
    return convolve(L.Multiply()([x, gate]), 16, activation="leaky_relu")


def separable(x):
    x = L.SeparableConv2D(16, 3, padding="same")(convolve(x, 16))
    x = L.ReLU()(L.BatchNormalization(momentum=0.9)(x))
    x = L.UpSampling2D()(L.ZeroPadding2D(1)(x))
    return L.Conv2DTranspose(12, 2, 2, activation="tanh")(x)


def composed(x):
    """What `keras.applications` writes with operations instead of layers."""
    x = convolve(x, 16, activation="linear")
    x = x * (L.ReLU(6.0)(x + 3.0) * (1.0 / 6.0))
    return L.Activation("hard_sigmoid")(L.Conv2D(16, 3)(x)) - 0.5


FAMILIES = {
    family.__name__: family
    for family in (
        *(plain, residual, depthwise, inception, dense, preactivated, squeezed, separable),
        composed,
    )
}


def network(family, activation="softmax"):
    images = keras.Input((8, 8, 1))
    x = FAMILIES[family](L.Rescaling(1 / 255)(images))
    x = L.Dense(10, activation=activation)(L.GlobalAveragePooling2D()(x))
    return keras.Model(images, x, name=family)
