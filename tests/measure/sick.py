"""Networks that read digits well in float32, with something planted that integers cannot hold."""

import numpy as np


def network():
    """Two convolutions and a dense layer, 8 x 8 pixels 0..255 in."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="first"),
            layers.Conv2D(16, 3, strides=2, activation="relu", name="second"),
            layers.Conv2D(24, 3, activation="relu", name="third"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(10, activation="softmax", name="last"),
        ]
    )


def trained(images, labels):
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images.astype(np.float32), labels, epochs=12, batch_size=32, verbose=0)
    return model


def wild_weights(model):
    """In `second`, each output channel has one huge weight, on an input that is always dark."""
    kernel, bias = model.get_layer("first").get_weights()
    bias[3], kernel[..., 3] = -1.0, 0.0  # ReLU keeps it dark
    model.get_layer("first").set_weights([kernel, bias])
    kernel, bias = model.get_layer("second").get_weights()
    kernel[1, 1, 3, :] = 500.0
    model.get_layer("second").set_weights([kernel, bias])


def wild_channel(model, factor=5000.0):
    """One channel of `first` is huge, and `second` makes up for it: the network is the same."""
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., 5], bias[5] = kernel[..., 5] * factor, bias[5] * factor
    model.get_layer("first").set_weights([kernel, bias])
    kernel, bias = model.get_layer("second").get_weights()
    kernel[:, :, 5, :] /= factor
    model.get_layer("second").set_weights([kernel, bias])
