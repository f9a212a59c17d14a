import json
import math
import shutil

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support

from models import MODELS
from pipeline.data import dataset
from pipeline.fit.files import load_model, save_model
from pipeline.stages import evaluate

CLASSES = ["cat", "dog", "eel"]
LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.5, 0.3, 0.2],
        [0.3, 0.6, 0.1],  # a cat taken for a dog
        [0.2, 0.7, 0.1],
        [0.6, 0.3, 0.1],  # a dog taken for a cat
        [0.5, 0.4, 0.1],  # and so is the eel
    ],
    np.float32,
)


@pytest.fixture
def scores():
    return evaluate.score(PROBABILITIES, LABELS, CLASSES)


def test_a_tiny_case_by_hand(scores):
    assert (scores["correct"], scores["accuracy"], scores["split"]) == (3, 0.5, "test")
    cat, dog, eel = scores["per_class"]
    assert (cat["precision"], cat["recall"]) == (2 / 4, 2 / 3)
    assert cat["f1"] == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert (dog["precision"], dog["recall"], dog["support"]) == (1 / 2, 1 / 2, 2)
    assert eel == {"class": "eel", "precision": 0, "recall": 0, "f1": 0, "support": 1}
    right = [0.8, 0.5, 0.3, 0.7, 0.3, 0.1]
    assert scores["loss"] == pytest.approx(-sum(map(math.log, right)) / 6, rel=1e-6)


def test_the_tiny_case_is_surer_than_it_is_right(scores):
    # bins of a fifteenth: .5 twice, one right; .6 twice, none right; .7 right; .8 right
    gaps = [2 * abs(0.5 - 0.5), 2 * abs(0.0 - 0.6), abs(1 - 0.7), abs(1 - 0.8)]
    assert scores["calibration_error"] == pytest.approx(sum(gaps) / 6, abs=1e-6)
    assert scores["top_k"] is None, "of three classes"


def test_of_more_than_five_classes_the_five_likeliest_are_looked_at():
    probabilities = np.tile(np.array([0.3, 0.25, 0.2, 0.15, 0.07, 0.03], np.float32), (4, 1))
    scores = evaluate.score(probabilities, np.array([0, 4, 5, 5]), list("abcdef"))
    assert scores["top_k"] == {"k": 5, "accuracy": 0.5}


def test_the_tiny_case_by_scikit_learn(scores):
    predicted = PROBABILITIES.argmax(-1)
    assert scores["accuracy"] == accuracy_score(LABELS, predicted)
    assert scores["loss"] == pytest.approx(log_loss(LABELS, PROBABILITIES, labels=[0, 1, 2]))
    table = precision_recall_fscore_support(LABELS, predicted, zero_division=0)
    for key, column in zip(("precision", "recall", "f1", "support"), table, strict=True):
        assert [row[key] for row in scores["per_class"]] == pytest.approx(column.tolist())


def test_the_interval_is_wilsons(scores):
    z, share, n = 1.959963984540054, 0.5, 6
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert scores["accuracy_ci95"] == pytest.approx((middle - half, middle + half))


def test_a_class_without_pictures_keeps_its_row():
    scores = evaluate.score(PROBABILITIES[:5], LABELS[:5], CLASSES)
    assert [row["support"] for row in scores["per_class"]] == [3, 2, 0]


def test_the_whole_test_split_is_looked_at_and_drawn(chain, settings, do, tmp_path):
    roles = {role: chain[role] for role in ("ingest", "train")}
    said = do(evaluate, settings("evaluate", evaluate={"pictures": 6}), roles, tmp_path)
    images, labels = dataset.test_split(chain["ingest"])
    model = load_model(chain["train"] / "model.keras")
    expected = model.predict(np.asarray(images, np.float32), verbose=0)
    probabilities = np.load(tmp_path / "probabilities.npy")
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    scores = json.loads((tmp_path / "evaluation.json").read_text())
    assert scores["accuracy"] == said["accuracy"] == np.mean(expected.argmax(-1) == labels)
    assert said["of"] == len(labels)
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == {
        *("training_curves", "confusion_matrix", "wrong_pictures"),
        *("least_sure", "probability_bars", "grad_cam", "feature_maps"),
    }
    found = scores["attribution"]
    assert (found["size"], found["score"]) == ([2, 2], "logit")
    assert found["pictures"] == min(8, len(labels) - scores["correct"])
    assert type(model.get_layer(found["layers"][0])).__name__ == "ReLU"


@pytest.fixture
def untrained(chain, tmp_path):
    """What train would leave, of a network as it was built."""

    def leave(model):
        shutil.copytree(chain["train"], tmp_path / "train")
        save_model(model, tmp_path / "train" / "model.keras")
        return {"ingest": chain["ingest"], "train": tmp_path / "train"}

    return leave


def drawn_by(out):
    return {path.stem for path in (out / "figures").glob("*.png")}


def test_a_network_without_feature_maps_says_so_and_draws_none(untrained, settings, do, tmp_path):
    roles = untrained(MODELS["mlp"]((8, 8, 1), 10))
    do(evaluate, settings("evaluate"), roles, tmp_path / "out")
    assert not {"grad_cam", "feature_maps"} & drawn_by(tmp_path / "out")
    scores = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert scores["attribution"] == {"layers": [], "pictures": 0}


def test_who_asks_for_no_such_figures_gets_none(untrained, settings, do, tmp_path):
    roles = untrained(MODELS["small_cnn"]((8, 8, 1), 10, width=2))
    none = settings("evaluate", evaluate={"grad_cam": 0, "feature_maps": 0})
    do(evaluate, none, roles, tmp_path / "out")
    assert not {"grad_cam", "feature_maps"} & drawn_by(tmp_path / "out")
    scores = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert scores["attribution"] is None


def test_a_network_without_mistakes_is_not_asked_where_it_looked(chain):
    model = load_model(chain["train"] / "model.keras")
    images, _ = dataset.test_split(chain["ingest"])
    said = model.predict(np.asarray(images, np.float32), verbose=0)
    right = evaluate.Answered(images, said.argmax(-1), said, [str(n) for n in range(10)])
    found, drawn = evaluate._explained(model, right, 8)
    assert (found["pictures"], found["size"], drawn) == (0, (2, 2), {})
    assert set(evaluate._seen(model, right, 2)) == {"feature_maps"}


SHOWN = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]], np.uint8)
SAID = np.array([[0.9, 0.6, 0.1], [0.1, 0.2, 0.4], [0.2, 0.9, 0.3], [0.9, 0.7, 0.1]], np.float32)


def test_several_labels_by_hand():
    scores = evaluate.score(SAID, SHOWN, CLASSES)
    assert (scores["correct"], scores["accuracy"]) == (2, 0.5), "the first two have all right"
    assert scores["hamming_loss"] == pytest.approx(2 / 12), "an eel missed, a dog too many"
    cat, dog, eel = scores["per_class"]
    assert (cat["precision"], cat["recall"], cat["average_precision"]) == (1, 1, 1)
    assert (dog["precision"], dog["recall"], dog["support"]) == (pytest.approx(2 / 3), 1, 2)
    assert dog["average_precision"] == pytest.approx((1 + 2 / 3) / 2), "ranks 1 and 3 are dogs"
    assert eel == {"class": "eel", "precision": 0, "recall": 0, "f1": 0, "support": 1,
                   "average_precision": 1 / 2}  # fmt: skip
    assert scores["macro_f1"] == pytest.approx((1 + 0.8 + 0) / 3)
    assert scores["micro_f1"] == pytest.approx(2 * 4 / (2 * 4 + 1 + 1)), "4 found, 1 + 1 wrong"
    assert scores["mean_average_precision"] == pytest.approx((1 + 5 / 6 + 1 / 2) / 3)
    entropy = -(SHOWN * np.log(SAID) + (1 - SHOWN) * np.log(1 - SAID))
    assert scores["loss"] == pytest.approx(entropy.mean(), rel=1e-5)
    assert scores["top_k"] is None
    assert 0 < scores["calibration_error"] < 0.5


def test_a_class_nobody_shows_counts_in_no_mean_of_precision():
    scores = evaluate.score(SAID[:, :2], SHOWN[:, :2] * np.array([1, 0], np.uint8), CLASSES[:2])
    assert [row["average_precision"] for row in scores["per_class"]] == [1, None]
    assert scores["mean_average_precision"] == 1
