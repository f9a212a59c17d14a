import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.legacy import check_parity, copy_weights, mirror
from pipeline.errors import ConversionError


@pytest.fixture
def model(shake):
    images = keras.Input((8, 8, 1))
    inner = keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="bn")],
        name="inner",
    )
    x = L.Dropout(0.5)(L.GlobalAveragePooling2D()(inner(L.Normalization()(images))))
    return shake(keras.Model(images, L.Dense(2, name="head")(x)))


def test_weights_come_back_as_they_went(model, digits):
    images, _ = digits
    twin = mirror(model)
    for weight in twin.weights:
        if weight.dtype.is_floating:
            weight.assign(weight * 1.5 + 0.01)
    twin.layers[1].finalize_state()
    other = keras.models.clone_model(model)
    copy_weights(twin, other)
    assert check_parity(other, twin, images[:50]) == 0.0
    with pytest.raises(ConversionError, match="differ by"):
        check_parity(model, twin, images[:50])


def test_a_missing_layer_is_named(model):
    images = keras.Input((8, 8, 1))
    smaller = keras.Model(images, L.Dense(2, name="head")(L.GlobalAveragePooling2D()(images)))
    with pytest.raises(ConversionError, match="'normalization"):
        copy_weights(mirror(smaller), model)


def test_another_shape_is_refused():
    def head(width):
        images = keras.Input((4,))
        return keras.Model(images, L.Dense(width, name="head")(images))

    with pytest.raises(ConversionError, match=r"'head' \(Dense\).*\(4, 3\).*\(4, 2\)"):
        copy_weights(mirror(head(2)), head(3))


def test_one_changed_weight_breaks_parity_and_the_difference_is_said(model, digits):
    images, _ = digits
    twin = mirror(model)
    bias = twin.get_layer("head").bias
    bias.assign(bias + 0.25)
    with pytest.raises(ConversionError, match=r"differ by 0\.25, more than 1e-05"):
        check_parity(model, twin, images[:5])
    assert check_parity(model, twin, images[:5], tolerance=0.3) == pytest.approx(0.25)


def test_a_difference_in_the_last_picture_is_seen(model, digits):
    images, _ = digits
    twin = mirror(model)
    model.get_layer("head").kernel.assign([[1e4, 0], [0, 0], [0, 0]])
    twin.get_layer("head").kernel.assign([[1e4, 0], [0, 0], [0, 0]])
    images = images[:130].copy()
    assert check_parity(model, twin, images) == 0.0
    images[129] = np.nan
    with pytest.raises(ConversionError, match="infinite or no numbers"):
        check_parity(model, twin, images)
