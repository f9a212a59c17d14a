import keras
import numpy as np
import pytest

from pipeline.compress.formats import FORMATS
from pipeline.compress.legacy import mirror
from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.ensembles.members import scoring, stacking, voting
from pipeline.fit.ensembles.votes import stacked
from pipeline.fit.files import load_model, save_model
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from pipeline.settings import Build
from pipeline.stages.build import make_core, with_preprocessing

SHAPE = (8, 8, 1)


@pytest.fixture
def pictures(digits):
    return digits[0][:200]


@pytest.fixture
def make(pictures):
    """Networks that differ, with pixels to 0..1 in front, as `build` makes them."""

    def networks(*names):
        session.begin(0)
        return [
            with_preprocessing(
                make_core(
                    Build(model=name, **({"width": 4} if name == "small_cnn" else {})), SHAPE, 10
                ),
                "scale",
                pictures,
            )
            for name in names
        ]

    return networks


def answer(model, pictures):
    return model.predict(pictures.astype(np.float32), verbose=0)


def test_voting_is_the_weighted_mean_of_what_members_answer(make, pictures, tmp_path):
    members = make("small_cnn", "resnet8", "lenet5")
    weights = np.array([0.5, 0.3, 0.2])
    mean = np.tensordot(weights, [answer(one, pictures) for one in members], 1)
    together = voting(members, weights)
    assert answer(together, pictures) == pytest.approx(mean, abs=1e-6)
    save_model(together, tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert np.array_equal(answer(again, pictures), answer(together, pictures))
    assert answer(mirror(again), pictures) == pytest.approx(mean, abs=1e-6)


def test_stacking_is_the_regression_on_what_members_score(make, pictures, digits):
    members = [scoring(one) for one in make("small_cnn", "nin")]
    scores = np.array([answer(one, pictures) for one in members])
    fitted, _ = stacked(scores, digits[1][:200], 0)
    assert answer(stacking(members, fitted), pictures) == pytest.approx(fitted(scores), abs=1e-5)


def test_scores_are_what_the_softmax_is_of(make, pictures):
    (network,) = make("small_cnn")
    probabilities = answer(network, pictures)
    scores = answer(scoring(network), pictures)
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    assert raised / raised.sum(-1, keepdims=True) == pytest.approx(probabilities, abs=1e-6)


def test_a_network_without_a_softmax_cannot_be_stacked():
    images = keras.Input(SHAPE)
    x = keras.layers.Dense(10, activation="sigmoid", name="yes_or_no")(
        keras.layers.Flatten()(images)
    )
    with pytest.raises(ConfigError, match="ends in a layer yes_or_no that has none"):
        scoring(keras.Model(images, x))


def test_members_together_are_int8_throughout(make, pictures, tmp_path):
    together = voting(make("small_cnn", "small_cnn"), np.array([0.5, 0.5]))
    path = tmp_path / "model.tflite"
    path.write_bytes(FORMATS["int8"](together, pictures, "uint8"))
    facts = inspect(path)
    assert (facts.ops["float32"], facts.ops["other"]) == (0, 0)
    found = LiteRT(path).predict(pictures)
    assert np.abs(found - answer(together, pictures)).max() < 0.05
