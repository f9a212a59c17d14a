import os
from importlib import import_module

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers as L

from pipeline.compress.kernels import allotted, prunable
from pipeline.compress.legacy import mirror
from pipeline.compress.legacy.blocks import prune_blocks
from pipeline.compress.legacy.door import tfmot
from pipeline.compress.legacy.pruning import LayerSparsity, prune
from pipeline.compress.patterns import Pattern
from pipeline.compress.schedule import Ramp
from pipeline.errors import ConfigError, ConversionError

UTILS = "tensorflow_model_optimization.python.core.sparsity.keras.pruning_utils"
BATCH, STEPS, EPOCHS = 32, 31, 8  # a thousand pictures for training
TRAIN, VALIDATION = slice(0, 1000), slice(1000, 1797)


def small_net():
    images = x = keras.Input((8, 8, 1))
    x = L.Rescaling(1 / 255)(x)
    for channels, name in ((16, "conv1"), (32, "conv2")):
        x = L.Conv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
        x = L.ReLU()(L.BatchNormalization()(x))
        x = L.MaxPooling2D()(x)
    x = L.DepthwiseConv2D(2, name="depthwise")(x)
    x = L.Dropout(0.1)(L.Flatten()(x))
    return keras.Model(images, L.Dense(10, activation="softmax", name="predictions")(x))


def accuracy(model, digits):
    images, labels = digits
    scores = np.asarray(model(images[VALIDATION], training=False))
    return (scores.argmax(-1) == labels[VALIDATION]).mean()


@pytest.fixture(scope="module")
def trained(digits):
    images, labels = digits
    keras.utils.set_random_seed(0)
    model = small_net()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(images[TRAIN], labels[TRAIN], batch_size=BATCH, epochs=10, verbose=0)
    assert accuracy(model, digits) > 0.85
    return model


@pytest.fixture
def fit(digits):
    images, labels = digits

    def _fit(model, *, api, callbacks, epochs=EPOCHS):
        api.utils.set_random_seed(1)
        model.compile(api.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
        model.fit(
            images[TRAIN][: BATCH * STEPS],
            labels[TRAIN][: BATCH * STEPS],
            batch_size=BATCH,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
        )

    return _fit


def test_four_of_five_weights_become_zero_and_the_model_still_reads_digits(trained, fit, digits):
    images, _ = digits
    before = [weight.copy() for weight in trained.get_weights()]
    environment = dict(os.environ)

    pruned = prune(trained, fit, Ramp.over(STEPS * EPOCHS, 0.8), images[:64])

    assert pruned.layers == (
        LayerSparsity("conv1", 144, 115, 0.8),
        LayerSparsity("conv2", 4608, 3686, 0.8),
        LayerSparsity("predictions", 320, 256, 0.8),
    )
    for layer in pruned.layers:
        kernel = pruned.model.get_layer(layer.name).kernel.numpy()
        assert np.count_nonzero(kernel == 0) == layer.zeros
    assert np.count_nonzero(pruned.model.get_layer("depthwise").kernel.numpy() == 0) == 0
    assert accuracy(pruned.model, digits) > 0.85
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))
    assert dict(os.environ) == environment
    assert isinstance(pruned.model, keras.Model)
    assert type(small_net()) is type(pruned.model)
    assert keras.config.floatx() == "float32"
    features = pruned.model.get_layer("conv1").output  # a graph that can be built upon
    assert keras.Model(pruned.model.input, features)(images[:2]).shape == (2, 8, 8, 16)


def test_moving_statistics_come_back_too(trained, fit, digits):
    pruned = prune(trained, fit, Ramp.over(STEPS * EPOCHS), digits[0][:64]).model
    for layer, other in zip(trained.layers, pruned.layers, strict=True):
        if isinstance(layer, L.BatchNormalization):
            assert not np.array_equal(layer.moving_variance, other.moving_variance)


@pytest.mark.slow
def test_the_best_epoch_may_be_kept_from_the_first_full_one_on(trained, fit, digits):
    ramp = Ramp.over(STEPS * 4)
    full = ramp.first_full_epoch(STEPS)
    assert full == 2

    def keep(epoch):
        class Keep(tf_keras.callbacks.Callback):
            def on_epoch_end(self, number, logs=None):
                if number == epoch:
                    self.best = self.model.get_weights()

            def on_train_end(self, logs=None):
                self.model.set_weights(self.best)

        return lambda model, *, api, callbacks: fit(
            model, api=api, callbacks=[*callbacks, Keep()], epochs=4
        )

    pruned = prune(trained, keep(full), ramp, digits[0][:64])
    assert all(layer.sparsity > 0.79 for layer in pruned.layers)
    with pytest.raises(ConversionError, match="zeros of"):
        prune(trained, keep(full - 1), ramp, digits[0][:64])


@pytest.mark.slow
def test_two_prunings_give_the_same_bits_and_log_the_same_names(trained, fit, digits):
    ramp = Ramp.over(STEPS * 2)
    results, names = [], []

    def fit_two(model, *, api, callbacks):
        fit(model, api=api, callbacks=callbacks, epochs=2)
        names.append(api.metrics.AUC().name)

    for _ in range(2):
        results.append(prune(trained, fit_two, ramp, digits[0][:64]).model.get_weights())
        tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(2,))])  # something in between
        keras.Sequential([keras.Input((2,)), L.Dropout(0.5), L.Dense(3)])
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
    assert names == ["auc"] * 2


def test_constant_sparsity_prunes_as_well(trained, fit, digits):
    ramp = Ramp.over(STEPS, 0.5, kind="constant", end=0.9)
    pruned = prune(trained, lambda *a, **k: fit(*a, **k, epochs=1), ramp, digits[0][:64])
    assert [layer.sparsity for layer in pruned.layers] == pytest.approx([0.5] * 3, abs=0.01)


def test_excluded_layers_stay_dense(trained, fit, digits):
    ramp = Ramp.over(STEPS)
    pruned = prune(
        trained,
        lambda *a, **k: fit(*a, **k, epochs=1),
        ramp,
        digits[0][:64],
        allotted(list(prunable(trained)), 0.8, exclude=["pred*", "conv1"]),
    )
    assert [layer.name for layer in pruned.layers] == ["conv2"]
    assert np.count_nonzero(pruned.model.get_layer("conv1").kernel.numpy() == 0) == 0


def test_what_is_to_stay_whole_is_no_layer_with_a_kernel(trained, fit, digits):
    pruned = prune(
        trained,
        lambda *a, **k: fit(*a, **k, epochs=1),
        Ramp.over(STEPS),
        digits[0][:64],
        allotted(list(prunable(trained, whole=["predictions"])), 0.8, exclude=["last"]),
    )
    assert [layer.name for layer in pruned.layers] == ["conv1"]
    assert np.count_nonzero(pruned.model.get_layer("predictions").kernel.numpy() == 0) == 0


def refuse_to_train(*_, **__):
    raise AssertionError("training began")


def test_a_layer_without_twin_is_refused_before_training(digits):
    images = keras.Input((8, 8, 1))
    model = keras.Model(images, L.Lambda(lambda x: x, name="trick")(L.Conv2D(2, 3)(images)))
    with pytest.raises(ConfigError, match="prune: cannot mirror the model: layer 'trick'"):
        prune(model, refuse_to_train, Ramp.over(99), digits[0][:9])


@pytest.mark.parametrize("pattern", ["2:4", "4x1"])
def test_a_kernel_that_lies_the_other_way_round_is_refused_by_name(pattern, digits):
    images = keras.Input((8, 8, 1))
    x = L.Conv2D(8, 3, name="conv")(images)
    model = keras.Model(images, L.Conv2DTranspose(8, 3, name="wider")(x))
    with pytest.raises(ConfigError, match=r"Conv2DTranspose.*exclude them: wider$"):
        prune(
            model,
            refuse_to_train,
            Ramp.over(99),
            digits[0][:9],
            pattern=Pattern.read(pattern),
        )


def test_each_layer_comes_to_its_own_sparsity(trained, fit, digits):
    layers = {"first": 0.25, "predictions": 0.0}
    pruned = prune(
        trained,
        lambda *a, **k: fit(*a, **k, epochs=2),
        Ramp.over(STEPS * 2),
        digits[0][:64],
        allotted(list(prunable(trained)), 0.9, layers),
    )
    assert pruned.layers == (
        LayerSparsity("conv1", 144, 36, 0.25),
        LayerSparsity("conv2", 4608, 4147, 0.9),
    )
    assert pruned.sparsity == pytest.approx(4183 / 4752)
    assert np.count_nonzero(pruned.model.get_layer("predictions").kernel.numpy() == 0) == 0


def test_two_of_four_weights_are_zero_and_the_model_still_reads_digits(trained, fit, digits):
    two_of_four = Pattern.read("2:4")
    pruned = prune(
        trained,
        lambda *a, **k: fit(*a, **k, epochs=2),
        Ramp.at_once(0.5),
        digits[0][:64],
        pattern=two_of_four,
    )
    assert {layer.name: layer.zeros for layer in pruned.layers} == {
        "conv1": 0,  # of one gray channel there is nothing to choose from
        "conv2": 4608 // 2,
        "predictions": 160,
    }
    is_pruned = import_module(UTILS).is_pruned_m_by_n
    for name in ("conv2", "predictions"):
        weights = pruned.model.get_layer(name).kernel.value
        assert is_pruned(weights, (2, 4))
        assert not is_pruned(trained.get_layer(name).kernel.value, (2, 4))
    assert accuracy(pruned.model, digits) > 0.85


def test_blocks_of_convolutions_are_zero_as_a_whole(trained, fit, digits):
    pruned = prune(
        trained,
        lambda *a, **k: fit(*a, **k, epochs=2),
        Ramp.over(STEPS * 2),
        digits[0][:64],
        {"conv2": 0.75, "predictions": 0.5},
        Pattern.read("4x2"),
    )
    assert [layer.sparsity for layer in pruned.layers] == [0.75, 0.5]
    blocks = pruned.model.get_layer("conv2").kernel.numpy().reshape(9, 4, 4, 16, 2)
    zeros = (blocks == 0).sum(axis=(2, 4))
    assert set(zeros.flat) == {0, 8}
    assert accuracy(pruned.model, digits) > 0.8


@pytest.mark.parametrize("block", [(4, 1), (2, 3), (1, 6)])
def test_blocks_of_a_dense_layer_are_those_tfmot_chooses(block):
    keras.utils.set_random_seed(4)
    images = keras.Input((8,))
    model = keras.Model(images, L.Dense(12, name="head")(images))
    masks = []
    for ours in (True, False):
        wrapper = tfmot.sparsity.keras.prune_low_magnitude(
            mirror(model).layers[1],
            tfmot.sparsity.keras.ConstantSparsity(0.6, 0),
            block_size=(1, 1) if ours else block,
        )
        wrapper.build((None, 8))
        if ours:
            prune_blocks(wrapper, Pattern(block=block))
        masks.append(wrapper.pruning_obj._maybe_update_block_mask(wrapper.pruning_vars[0][0])[1])
    assert np.array_equal(*masks)
    assert 0.3 < np.mean(masks[0]) < 0.5


@pytest.mark.slow
def test_zeros_of_a_round_before_are_there_in_every_epoch_of_the_next(trained, fit, digits):
    shares = []

    class Look(tf_keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            wrappers = [layer for layer in self.model.layers if hasattr(layer, "pruning_vars")]
            weights = [wrapper.pruning_vars[0][0].numpy() for wrapper in wrappers]
            shares.append(min(np.mean(one == 0) for one in weights))

    def looked_at(model, *, api, callbacks, epochs=4):
        fit(model, api=api, callbacks=[*callbacks, Look()], epochs=epochs)

    given, images = dict.fromkeys(prunable(trained), 0.9), digits[0][:64]
    first = prune(trained, lambda *a, **k: fit(*a, **k, epochs=1), Ramp.over(STEPS), images, given)
    ramp = Ramp.over(4 * STEPS, begin=0.5, end=0.9)
    prune(first.model, looked_at, ramp, images, given, before=given)
    assert len(shares) == 4
    assert min(shares) > 0.89


def test_a_run_that_stops_before_full_sparsity_is_an_error(trained, fit, digits):
    ramp = Ramp.over(STEPS * EPOCHS)
    with pytest.raises(
        ConversionError, match=rf"'conv1' has \d+ zeros .* pass step {ramp.full_step}"
    ):
        prune(trained, lambda *a, **k: fit(*a, **k, epochs=1), ramp, digits[0][:64])


def test_a_zero_lost_after_training_is_an_error(trained, fit, digits):
    def careless(model, *, api, callbacks):
        fit(model, api=api, callbacks=callbacks, epochs=1)
        for weight in model.trainable_weights:
            weight.assign_add(weight * 0 + 1e-3)

    with pytest.raises(ConversionError, match="has 0 zeros of 144 weights, 115 were due"):
        prune(trained, careless, Ramp.over(STEPS), digits[0][:64])


def test_nested_and_shared_layers_are_pruned_once_each(fit, digits):
    keras.utils.set_random_seed(0)
    inner_images = keras.Input((8, 8, 1))
    twice = L.Conv2D(1, 3, padding="same", name="twice")
    x = L.Conv2D(6, 3, name="conv")(twice(inner_images))
    inner = keras.Model(inner_images, x, name="inner")
    images = keras.Input((8, 8, 1))
    x = inner(keras.ops.relu(twice(twice(images)) + 1.0))
    x = L.SeparableConv2D(8, 3, name="separable")(x)
    x = L.Flatten()(x)
    model = keras.Model(images, L.Dense(10, activation="softmax", name="head")(x))
    ramp = Ramp.over(STEPS)

    pruned = prune(
        model,
        lambda *a, **k: fit(*a, **k, epochs=1),
        ramp,
        digits[0][:64],
        {"twice": 0.8, "inner/conv": 0.8, "separable": 0.8},
    )

    assert {layer.name: layer.zeros for layer in pruned.layers} == {
        "twice": 7,
        "inner/conv": 43,
        "separable": 38,
    }
    separable = pruned.model.get_layer("separable")
    assert np.count_nonzero(separable.pointwise_kernel.numpy() == 0) == 38
    assert np.count_nonzero(separable.depthwise_kernel.numpy() == 0) == 0
