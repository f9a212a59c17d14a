import keras
import numpy as np
import pytest
from keras import layers as L
from keras.src.applications import convnext, inception_resnet_v2

from pipeline.compress.legacy import check_parity, mirror
from pipeline.compress.legacy.layers import SAME_NAME, TWINS
from pipeline.errors import ConversionError

ONE_INPUT = [
    L.Dense(5, activation="gelu"),
    L.Conv2D(6, 3, strides=2, padding="same", groups=2, activation="relu6"),
    L.Conv2D(6, (3, 1), dilation_rate=2, use_bias=False),
    L.Conv2DTranspose(3, 3, strides=2, padding="same"),
    L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
    L.SeparableConv2D(5, 3, depth_multiplier=2),
    L.BatchNormalization(),
    L.BatchNormalization(scale=False, epsilon=1e-5, momentum=0.9),
    L.BatchNormalization(renorm=True),
    L.LayerNormalization(epsilon=1e-6),
    L.LayerNormalization(),
    L.GroupNormalization(2),
    L.UnitNormalization(),
    L.Activation("hard_silu"),
    L.ReLU(6.0, negative_slope=0.1, threshold=0.2),
    L.LeakyReLU(0.1),
    L.LeakyReLU(),
    L.PReLU(shared_axes=[1, 2]),
    L.PReLU(),
    L.ELU(0.7),
    L.Softmax(),
    L.ActivityRegularization(l2=0.01),
    L.MaxPooling2D(3, strides=2, padding="same"),
    L.AveragePooling2D(2),
    L.AveragePooling2D(3, strides=2, padding="same"),
    L.GlobalMaxPooling2D(),
    L.GlobalAveragePooling2D(keepdims=True),
    L.Flatten(),
    L.Reshape((4, -1)),
    L.Permute((2, 1, 3)),
    L.Identity(),
    L.ZeroPadding2D(((1, 0), (2, 1))),
    L.Cropping2D(((1, 0), (0, 2))),
    L.CenterCrop(5, 6),
    L.UpSampling2D(2),
    L.UpSampling2D(2, interpolation="bilinear"),
    L.Resizing(5, 11),
    L.Resizing(16, 16, interpolation="nearest"),
    L.Dropout(0.4),
    L.SpatialDropout2D(0.4),
    L.AlphaDropout(0.4),
    L.GaussianDropout(0.4),
    L.GaussianNoise(0.4),
    L.Rescaling(1 / 255),
    L.Rescaling(2.0, offset=-1.0),
    L.Rescaling([0.1, 0.2, 0.3, 0.4], offset=[1.0, 2.0, 3.0, 4.0]),
    L.Normalization(),
    L.Normalization(mean=[100.0, 90.0, 80.0, 70.0], variance=[2500.0, 900.0, 100.0, 49.0]),
    L.Normalization(mean=127.0, variance=64.0),
    convnext.LayerScale(1e-6, 4),
    convnext.StochasticDepth(0.5),
]
TWO_INPUTS = [
    *(L.Add(), L.Subtract(), L.Multiply(), L.Average(), L.Maximum(), L.Minimum()),
    *(
        inception_resnet_v2.CustomScaleLayer(0.3),
        L.Concatenate(),
        L.Concatenate(axis=1),
        L.Dot(axes=3),
    ),
]


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).uniform(0, 255, (6, 8, 8, 4)).astype("float32")


def test_every_layer_of_the_table_is_tested_here():
    assert {type(layer) for layer in [*ONE_INPUT, *TWO_INPUTS, L.RepeatVector(3)]} == set(TWINS)


@pytest.mark.parametrize("layer", ONE_INPUT, ids=lambda layer: layer.name)
def test_a_layer_and_its_twin_give_the_same_bits(layer, pictures, shake):
    images = keras.Input(pictures.shape[1:])
    model = shake(keras.Model(images, layer(L.Rescaling(1 / 64, -2.0)(images))))
    assert check_parity(model, mirror(model), pictures) == 0.0


@pytest.mark.parametrize("layer", TWO_INPUTS, ids=lambda layer: layer.name)
def test_a_merging_layer_and_its_twin_give_the_same_bits(layer, pictures):
    images = keras.Input(pictures.shape[1:])
    model = keras.Model(images, layer([images, L.ReLU(threshold=100.0)(images)]))
    assert check_parity(model, mirror(model), pictures) == 0.0


def test_a_repeated_vector_gives_the_same_bits(pictures):
    images = keras.Input(pictures.shape[1:])
    model = keras.Model(images, L.RepeatVector(3)(L.GlobalAveragePooling2D()(images)))
    assert check_parity(model, mirror(model), pictures) == 0.0


@pytest.mark.parametrize("renorm", [False, True])
def test_batch_normalization_learns_the_same_statistics(renorm, pictures, shake):
    images = keras.Input(pictures.shape[1:])
    norm = L.BatchNormalization(momentum=0.6, renorm=renorm, name="bn")
    model = shake(keras.Model(images, norm(images)))
    twin = mirror(model)
    np.testing.assert_array_equal(model(pictures, training=True), twin(pictures, training=True))
    ours, theirs = model.get_layer("bn"), twin.get_layer("bn")
    rounding = 1e-6 if renorm else 0.0
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=rounding)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=rounding)


@pytest.mark.parametrize(
    "layer", [L.Dropout(0.5), L.SpatialDropout2D(0.5), L.GaussianNoise(0.9)], ids=lambda x: x.name
)
def test_noise_is_there_in_training_and_repeats_from_twin_to_twin(layer, pictures):
    images = keras.Input(pictures.shape[1:])
    model = keras.Model(images, layer(images))
    keras.utils.set_random_seed(1)
    first = np.asarray(mirror(model)(pictures, training=True))
    keras.utils.set_random_seed(1)
    again = np.asarray(mirror(model)(pictures, training=True))
    assert (first != pictures).mean() > 0.3
    np.testing.assert_array_equal(first, again)


def test_regularizers_and_constraints_come_along(pictures, shake):
    images = keras.Input(pictures.shape[1:])
    conv = L.Conv2D(
        3,
        3,
        kernel_regularizer=keras.regularizers.L1L2(1e-3, 1e-2),
        bias_regularizer="l2",
        activity_regularizer=keras.regularizers.L1(1e-4),
        kernel_constraint=keras.constraints.MaxNorm(0.5, axis=[0, 1, 2]),
        name="conv",
    )
    model = shake(keras.Model(images, conv(images)))
    twin = mirror(model)
    model(pictures), twin(pictures)
    np.testing.assert_allclose(sum(twin.losses), sum(model.losses), rtol=1e-6)
    kernel = model.get_layer("conv").kernel
    constrain, twin_constrain = conv.kernel_constraint, twin.get_layer("conv").kernel_constraint
    np.testing.assert_array_equal(twin_constrain(kernel.value), constrain(kernel.value))


def test_a_regularizer_of_ones_own_is_refused(pictures):
    @keras.saving.register_keras_serializable("test")
    class Mine(keras.regularizers.Regularizer):
        def __call__(self, x):
            return 0.0

        def get_config(self):
            return {}

    images = keras.Input(pictures.shape[1:])
    model = keras.Model(images, L.Dense(2, kernel_regularizer=Mine(), name="head")(images))
    with pytest.raises(ConversionError, match=r"'head' \(Dense\) has the kernel_regularizer Mine"):
        mirror(model)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            L.Resizing(4, 4, antialias=True, name="small"),
            r"'small' \(Resizing\) has antialias=True",
        ),
        (L.CenterCrop(4, 4, data_format="channels_first", name="crop"), r"'crop' \(CenterCrop\)"),
    ],
)
def test_a_setting_tf_keras_does_not_know_is_refused_unless_it_does_nothing(layer, said, pictures):
    images = keras.Input(pictures.shape[1:])
    with pytest.raises(ConversionError, match=said):
        mirror(keras.Model(images, layer(images)))


def test_the_table_names_each_layer_once():
    assert len(SAME_NAME) == len(set(SAME_NAME))
