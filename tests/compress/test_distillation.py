import keras
import numpy as np
import pytest

from pipeline.compress.distillation import divergence, pupil, softened
from pipeline.fit.files import load_model, save_model


def network(seed):
    keras.utils.set_random_seed(seed)
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))


def test_probabilities_soften_as_scores_divided_by_the_temperature():
    scores = np.array([[1.0, 2.0, 4.0]], np.float32)
    warm = np.exp(scores / 3) / np.exp(scores / 3).sum()
    plain = np.exp(scores) / np.exp(scores).sum()
    assert np.asarray(softened(plain, 3.0)) == pytest.approx(warm, abs=1e-6)


def test_divergence_is_what_it_is_by_hand():
    teacher, learner = np.array([[0.8, 0.2]], np.float32), np.array([[0.5, 0.5]], np.float32)
    by_hand = 0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5)
    assert float(divergence(teacher, learner, 1.0)) == pytest.approx(by_hand, rel=1e-5)
    # At temperature 2, probabilities go as their square roots: 2/3 and 1/3, and still one half.
    warm = 2 / 3 * np.log(4 / 3) + 1 / 3 * np.log(2 / 3)
    assert float(divergence(teacher, learner, 2.0)) == pytest.approx(warm, rel=1e-5)
    assert float(divergence(teacher, teacher, 2.0)) == pytest.approx(0, abs=1e-7)


def test_training_loss_is_the_labels_and_the_teachers_by_weight(digits):
    images, labels = digits[0][:32].astype(np.float32), np.eye(10, dtype=np.float32)[digits[1][:32]]
    network_, teacher = network(0), network(1)
    learner = pupil(network_, lambda x: teacher(x, training=False), 2.0, 0.25)
    learner.compile(optimizer="sgd", loss="categorical_crossentropy")
    own, taught = network_(images), teacher(images)
    plain = float(np.mean(-np.log(np.sum(np.asarray(own) * labels, -1))))
    wanted = 0.75 * plain + 0.25 * 4 * float(divergence(taught, own, 2.0))
    assert float(learner.compute_loss(images, labels, own)) == pytest.approx(wanted, rel=1e-4)
    assert learner.evaluate(images, labels, verbose=0) == pytest.approx(plain, rel=1e-4)


def test_the_pupil_learns_what_the_teacher_answers_and_the_teacher_nothing(digits, tmp_path):
    images = digits[0][:600].astype(np.float32)
    nonsense = np.tile(np.eye(10, dtype=np.float32)[0], (600, 1))
    network_, teacher = network(0), network(1)
    before = teacher.get_weights()
    learner = pupil(network_, lambda x: teacher(x, training=False), 1.0, 1.0)
    learner.compile(optimizer=keras.optimizers.Adam(0.02), loss="categorical_crossentropy")
    learner.fit(images, nonsense, epochs=40, batch_size=100, verbose=0)
    assert all(map(np.array_equal, teacher.get_weights(), before))
    assert len(learner.weights) == len(network_.weights)
    found, wanted = (one.predict(images, verbose=0) for one in (network_, teacher))
    assert (found.argmax(-1) == wanted.argmax(-1)).mean() > 0.9
    save_model(learner, tmp_path / "model.keras")  # as a fit that fails keeps the best so far
    assert np.array_equal(load_model(tmp_path / "model.keras").predict(images, verbose=0), found)
