import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from models.blocks.normalization import normalize
from pipeline.compress.legacy import mirror
from pipeline.errors import ConfigError
from pipeline.fit import OPTIMIZERS, session
from pipeline.fit.loop import fit
from pipeline.fit.optimizers import check, optimizer
from pipeline.settings import Prune, Train

APIS = pytest.mark.parametrize("api", [keras, tf_keras])
WITHOUT_TWIN = {"lamb"}
# FTRL makes weights anew from its sums of gradients, and divides by the rate: where the one is 0
# so are the weights, where the other is, they are no numbers.
FTRL = "ftrl"


def of_both(*names):
    """Each of these optimizers in each API that has it."""
    pairs = [(name, api) for name in names for api in (keras, tf_keras)]
    kept = [pair for pair in pairs if pair[0] not in WITHOUT_TWIN or pair[1] is keras]
    return pytest.mark.parametrize(("name", "api"), kept)


EACH = of_both(*OPTIMIZERS)
EACH_BUT_FTRL = of_both(*(name for name in OPTIMIZERS if name != FTRL))


def moved(made, *gradients):
    """Weights of one that optimizers change by these gradients, one after the other."""
    weight = tf.Variable(tf.ones(np.shape(gradients[0])), name="kernel")
    made.build([weight])
    for gradient in gradients:
        made.apply_gradients([(tf.constant(gradient, tf.float32), weight)])
    return weight.numpy()


@EACH
def test_every_optimizer_moves_weights_downhill(name, api):
    settings = Train(epochs=2, warmup_epochs=0.0, learning_rate=0.1, optimizer=name)
    made = optimizer(settings, 10, api)
    assert isinstance(made, api.optimizers.Optimizer)
    weight = tf.Variable([1.0, -1.0])
    made.build([weight])
    for _ in range(3):
        made.apply_gradients([(2 * weight, weight)])
    assert np.all(np.abs(weight.numpy()) < 1)


@EACH_BUT_FTRL
def test_weight_decay_spares_biases_and_normalization(name, api):
    layers = api.layers
    model = api.Sequential(
        [
            layers.Input((6, 6, 2)),
            layers.Conv2D(3, 3, use_bias=False, name="unbiased"),
            layers.BatchNormalization(name="gamma_ray"),
            layers.Flatten(),
            layers.Dense(4, name="dense"),
        ]
    )
    for weight in model.trainable_variables:
        weight.assign(tf.ones(weight.shape))
    settings = Train(warmup_epochs=0.0, learning_rate=0.1, optimizer=name, weight_decay=0.5)
    made = optimizer(settings, 10, api)
    made.build(model.trainable_variables)
    made.apply_gradients([(tf.zeros(w.shape), w) for w in model.trainable_variables])
    left = [float(np.max(weight)) for weight in model.trainable_variables]
    conv, gamma, beta, kernel, bias = left
    assert (gamma, beta, bias) == (1, 1, 1)
    assert (conv, kernel) == pytest.approx((0.95, 0.95))  # 1 - 0.1 * 0.5


@pytest.mark.parametrize("named", [None, "3.left.normalization"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_weight_decay_spares_the_scale_of_a_normalization_made_of_operations(named, mirrored):
    images = keras.Input((6, 6, 2))
    maps = keras.layers.Conv2D(8, 3, use_bias=False, name="scale")(images)
    model = keras.Model(images, normalize(maps, "group", name=named))
    model = mirror(model) if mirrored else model
    for weight in model.trainable_variables:
        weight.assign(tf.ones(weight.shape))
    settings = Train(warmup_epochs=0.0, learning_rate=0.1, optimizer="adamw", weight_decay=0.5)
    made = optimizer(settings, 10, tf_keras if mirrored else keras)
    made.build(model.trainable_variables)
    made.apply_gradients([(tf.zeros(w.shape), w) for w in model.trainable_variables])
    conv, scale, offset = (float(np.max(weight)) for weight in model.trainable_variables)
    assert (scale, offset) == (1, 1)
    assert conv == pytest.approx(0.95)


@EACH_BUT_FTRL
def test_no_weight_decay_is_asked_for_no_weight_decays(name, api):
    weight = tf.Variable([1.0, -1.0], name="kernel")
    made = optimizer(Train(optimizer=name, learning_rate=0.1), 10, api)
    made.build([weight])
    made.apply_gradients([(tf.zeros(2), weight)])
    assert weight.numpy().tolist() == [1, -1]


@APIS
def test_an_argument_of_the_recipe_reaches_the_optimizer(api):
    made = optimizer(Train(optimizer={"adamw": {"beta_2": 0.5}}), 10, api)
    assert (made.beta_1, made.beta_2) == (0.9, 0.5)


@APIS
@pytest.mark.parametrize(
    ("said", "momentum", "nesterov"),
    [
        ("sgd", 0.9, False),
        ("nesterov", 0.9, True),
        ({"sgd": {"momentum": 0.0}}, 0.0, False),
        ({"nesterov": {"momentum": 0.5}}, 0.5, True),
    ],
)
def test_sgd_has_momentum_unless_told_otherwise(said, momentum, nesterov, api):
    made = optimizer(Train(optimizer=said), 10, api)
    assert (made.momentum, made.nesterov) == (momentum, nesterov)


@APIS
def test_long_gradients_are_cut_to_the_length_asked_for_and_short_ones_left(api):
    plain = {"optimizer": {"sgd": {"momentum": 0.0}}, "learning_rate": 1.0, "schedule": "constant"}
    settings = Train(**plain, warmup_epochs=0.0, clip_norm=0.5)
    assert moved(optimizer(settings, 10, api), [3.0, -4.0]) == pytest.approx([0.7, 1.4])
    assert moved(optimizer(settings, 10, api), [0.3, 0.0]) == pytest.approx([0.7, 1.0])
    free = settings.model_copy(update={"clip_norm": None})
    assert moved(optimizer(free, 10, api), [3.0, -4.0]) == pytest.approx([-2.0, 5.0])


@EACH
def test_the_average_of_weights_is_kept_among_the_variables_of_any_optimizer(name, api):
    settings = Train(optimizer=name, learning_rate=0.1, warmup_epochs=0.0, ema=0.75)
    made = optimizer(settings, 10, api)
    weight = tf.Variable(tf.ones((2, 3)), name="kernel")
    made.build([weight])
    expected, seen = None, []
    for _ in range(3):
        made.apply_gradients([(tf.ones((2, 3)), weight)])
        seen.append(weight.numpy())
    begun = seen[0] if api is keras else np.ones((2, 3))  # tf_keras begins at the first weights
    expected = begun if api is keras else 0.75 * begun + 0.25 * seen[0]
    for now in seen[1:]:
        expected = 0.75 * expected + 0.25 * now
    variables = made.variables if api is keras else made.variables()
    assert any(v.shape == (2, 3) and np.allclose(v.numpy(), expected, atol=1e-6) for v in variables)
    assert np.array_equal(weight.numpy(), seen[-1])


def test_pruning_averages_no_weights():
    assert not optimizer(Prune(), 10, tf_keras).use_ema
    assert "ema" not in Prune.model_fields


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"adamw": {"beta2": 0.9}}, "adamw takes no argument 'beta2': did you mean 'beta_2'?"),
        ({"sgd": {"beta_2": 0.9}}, "sgd takes no argument 'beta_2': known: momentum, nesterov"),
        ({"muon": {"momentun": 0.9}}, "muon takes no argument 'momentun': did you mean 'momentum'"),
        ({"adam": {"beta_2": "high"}}, "adam: beta_2 is a float, not 'high'"),
        ({"adam": {"beta_2": True}}, "adam: beta_2 is a float, not True"),
        ({"sgd": {"nesterov": 1}}, "sgd: nesterov is a bool, not 1"),
        ({"sgd": {"momentum": 1.5}}, "momentum.*between"),
        ({"adam": {"beta_2": 5.0}}, "adam with {'beta_2': 5.0} makes weights no numbers$"),
        (
            {"adam": {"learning_rate": 1.0}},
            "adam does not take learning_rate here: .* learning_rate",
        ),
        ({"adamw": {"weight_decay": 0.1}}, "it is the setting weight_decay"),
        ({"adam": {"global_clipnorm": 1.0}}, "it is the setting clip_norm"),
        ({"adam": {"ema_momentum": 0.9}}, "it is the setting ema"),
        ({"adam": {"name": "x"}}, "adam does not take name here: it is not for a recipe"),
    ],
    ids=str,
)
@APIS
def test_a_wrong_argument_is_refused_with_what_was_expected(said, why, api):
    with pytest.raises(ConfigError, match=f"^train.optimizer: .*{why}") as caught:
        check(Train(optimizer=said), api, "train")
    assert "\n" not in str(caught.value)


@EACH
def test_what_the_table_lists_passes_the_check(name, api):
    if name == FTRL:
        with pytest.raises(ConfigError, match="at a learning rate of 0: set warmup_epochs to 0"):
            check(Train(optimizer=name), api, "train")
    check(Train(optimizer=name, warmup_epochs=0.0 if name == FTRL else 1.0), api, "train")


@EACH
def test_a_black_pixel_and_a_dead_unit_make_no_nan(name, api):
    gradients = np.full((2, 6, 3), 1e-3)  # two of them
    gradients[:, 2] = gradients[:, :, 1] = 0
    settings = Train(optimizer=name, warmup_epochs=0.0)
    assert np.isfinite(moved(optimizer(settings, 10, api), *gradients)).all()


RATES = {"adadelta": 3.0, "adagrad": 0.05, "ftrl": 0.3, "lion": 0.003, "sgd": 0.1, "nesterov": 0.1}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_to_read_digits(name, task, network):
    session.begin(0)
    model = network(keras)
    settings = Train(
        optimizer=name,
        learning_rate=RATES.get(name, 0.01),
        epochs=8,
        batch=32,
        warmup_epochs=0.0,
        clip_norm=1.0,
        weight_decay=0.001,
    )
    assert fit(model, task, settings).best["val_accuracy"] > 0.7


@pytest.mark.parametrize("name", sorted(WITHOUT_TWIN))
def test_an_optimizer_that_tf_keras_lacks_is_refused_there(name):
    with pytest.raises(ConfigError, match=rf"prune.optimizer: tf_keras, .* no {name}; set another"):
        check(Prune(optimizer=name), tf_keras, "prune")
