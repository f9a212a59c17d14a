"""How far apart layers are, and that training brings them together."""

import keras
import numpy as np
import pytest

from pipeline.compress.distillation import pupil
from pipeline.compress.features import Matching, attention, attention_transfer, hint
from pipeline.compress.pairing import pairs
from pipeline.fit.ensembles.members import voting
from pipeline.fit.files import load_model, save_model
from tests.marks import slow_but


def network(seed, width=4):
    """A small network with all that behaves otherwise in training: normalization, dropout."""
    keras.utils.set_random_seed(seed)
    L = keras.layers
    images = keras.Input((8, 8, 1))
    x = L.Conv2D(width, 3, padding="same", name="first")(L.Rescaling(1 / 255)(images))
    x = L.ReLU(name="act")(L.BatchNormalization(momentum=0.9)(x))
    x = L.Conv2D(2 * width, 3, strides=2, padding="same", activation="relu", name="second")(x)
    x = L.Dropout(0.2)(L.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(images, L.Dense(10, activation="softmax", name="answer")(x))


def matched(network_, teacher, method, weight=1.0):
    found = pairs(network_, teacher, method, {})
    matching = Matching(network_, teacher, found, method, weight)
    learner = pupil(network_, lambda x: teacher(x, training=False), 2.0, 0.5, matching=matching)
    learner.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy")
    return matching, learner


@pytest.fixture
def few(digits):
    images, labels = digits[0][:400].astype(np.float32), digits[1][:400]
    return images, labels, np.eye(10, dtype=np.float32)[labels]


def test_attention_is_what_it_is_by_hand():
    maps = np.zeros((1, 1, 2, 2), np.float32)
    maps[0, 0] = [[1, 2], [2, 1]]
    assert np.asarray(attention(maps)) == pytest.approx(np.full((1, 2), 0.5**0.5), abs=1e-6)
    left = np.array([[[[3.0], [0.0]]]], np.float32)
    right = np.array([[[[0.0, 0.0], [-2.0, 1.0]]]], np.float32)
    assert float(attention_transfer(left, left * 7)) == pytest.approx(0, abs=1e-6)
    assert float(attention_transfer(left, right)) == pytest.approx(2, abs=1e-5)
    assert float(attention_transfer(0 * left, right)) == pytest.approx(1, abs=1e-5)


def test_a_hint_is_the_share_of_the_teacher_that_is_not_said():
    teacher = np.array([[1.0, 2.0], [3.0, -1.0]], np.float32)
    assert float(hint(0 * teacher, teacher)) == pytest.approx(1)
    assert float(hint(teacher / 2, teacher)) == pytest.approx(0.25)
    assert float(hint(teacher, teacher)) == 0


def test_training_loss_has_the_distance_by_its_weight_and_validation_has_not(few):
    images, _, targets = few
    losses = []
    for weight in (0.0, 3.0):
        network_, teacher = network(0), network(1, 6)
        matching, learner = matched(network_, teacher, "attention", weight)
        answers = learner(images, training=True)
        losses.append(float(learner.compute_loss(images, targets, answers)))
        _, *ours = matching.pupil(images, training=True)
        _, *theirs = matching.teacher(images, training=False)
        apart = [float(one) for one in matching.distances(ours, theirs)]
        plain = keras.losses.categorical_crossentropy(targets, network_(images, training=False))
        assert learner.evaluate(images, targets, verbose=0) == pytest.approx(
            float(np.mean(plain)), rel=1e-3
        )
    assert losses[1] - losses[0] == pytest.approx(3 * np.mean(apart), rel=0.01)


@pytest.mark.parametrize("method", slow_but(["attention"], ["attention", "hints"]))
def test_matching_pulls_the_pupils_maps_to_the_teachers(method, few):
    images, labels, targets = few
    split, after = (images.astype(np.uint8), labels), {}
    for weight in (0.0, 10.0):
        matching, learner = matched(network(0), network(1, 6), method, weight)
        before = matching.apart(split)
        learner.fit(images, targets, epochs=10, batch_size=50, verbose=0)
        after[weight] = matching.apart(split)
    assert len(before) == (2 if method == "attention" else 3)
    assert np.less(after[10.0], 0.5 * np.array(before)).all(), (before, after)
    assert np.less(after[10.0], 0.7 * np.array(after[0.0])).all(), after


@pytest.mark.parametrize("method", slow_but(["hints"], ["attention", "hints"]))
def test_the_teacher_and_the_shape_of_the_pupil_stay_as_they_were(method, few, tmp_path):
    images, _, targets = few
    network_, teacher = network(0), network(1, 6)
    before, count = teacher.get_weights(), len(network_.weights)
    matching, learner = matched(network_, teacher, method)
    learner.fit(images, targets, epochs=2, batch_size=50, verbose=0)
    assert all(map(np.array_equal, teacher.get_weights(), before))
    assert len(network_.weights) == count
    extra = 2 * len(pairs(network_, teacher, method, {})) if method == "hints" else 0
    assert len(learner.weights) == count + extra, "a checkpoint has the projections"
    assert all(np.any(np.asarray(one.kernel)) for one in matching.projections)
    save_model(learner, tmp_path / "model.keras")  # as a fit that fails keeps the best so far
    kept = load_model(tmp_path / "model.keras")
    assert kept.count_params() == network_.count_params()
    assert np.array_equal(kept.predict(images, verbose=0), network_.predict(images, verbose=0))


@pytest.mark.parametrize("method", ["attention", "hints"])
def test_of_an_ensemble_the_distance_is_the_mean_over_members(method, few):
    images, labels, _ = few
    split = images.astype(np.uint8), labels
    singles = [
        Matching(network(0), one, pairs(network(0), one, method, {}), method, 1.0)
        for one in (network(1, 6), network(2, 6))
    ]
    ensemble = voting([network(1, 6), network(2, 6)], np.array([0.9, 0.1]))
    found = pairs(network(0), ensemble, method, {})
    together = Matching(network(0), ensemble, found, method, 1.0)
    assert together.members == 2
    assert len(together.projections) == (2 * len(found) if method == "hints" else 0)
    wanted = np.mean([one.apart(split) for one in singles], axis=0)
    assert together.apart(split) == pytest.approx(wanted, rel=1e-4)
