import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from pipeline.errors import ConfigError
from pipeline.fit.ensembles.votes import (
    cross_entropy,
    least_cross_entropy,
    out_of_part,
    stacked,
    weighted,
)


def parts_of_digits(classes=10):
    """Three classifiers that each see a third of a digit: scores and answers on 600 others."""
    data = load_digits()
    kept = data.target < classes
    pixels, labels = data.data[kept] / 16, data.target[kept]
    half = len(labels) // 2
    scores = []
    for third in np.array_split(np.arange(64), 3):
        model = LogisticRegression(C=0.1, max_iter=500).fit(pixels[:half, third], labels[:half])
        found = model.decision_function(pixels[half:, third])
        scores.append(found if classes > 2 else np.stack([np.zeros_like(found), found], -1))
    raised = np.exp(np.array(scores))
    return np.array(scores), raised / raised.sum(-1, keepdims=True), labels[half:]


SCORES, ANSWERS, LABELS = parts_of_digits()


def test_weights_are_a_mean_and_no_other_mean_is_better():
    weights = least_cross_entropy(ANSWERS, LABELS)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    best = cross_entropy(np.tensordot(weights, ANSWERS, 1), LABELS)
    grid = [
        (a, b, 1 - a - b) for a in np.arange(0, 1.01, 0.05) for b in np.arange(0, 1.01 - a, 0.05)
    ]
    others = [cross_entropy(np.tensordot(np.array(one), ANSWERS, 1), LABELS) for one in grid]
    assert best <= min(others) + 1e-9


def test_a_member_that_only_guesses_gets_no_weight():
    rng = np.random.default_rng(0)
    guesses = rng.dirichlet(np.ones(10), len(LABELS))
    weights = least_cross_entropy(np.array([ANSWERS[0], guesses]), LABELS)
    assert weights[1] < 0.1


def test_stacking_is_the_regression_that_scikit_learn_fits():
    model, unseen = stacked(SCORES, LABELS, 0)
    assert model.kernel.shape == (30, 10)
    assert model(SCORES) == pytest.approx(model(SCORES) / model(SCORES).sum(-1, keepdims=True))
    alone = max((answer.argmax(-1) == LABELS).mean() for answer in ANSWERS)
    assert (unseen.argmax(-1) == LABELS).mean() > alone + 0.05
    features = np.moveaxis(SCORES, 0, 1).reshape(len(LABELS), -1)
    fits = [
        LogisticRegression(C=strength, max_iter=2000).fit(features / features.std(), LABELS)
        for strength in (0.001, 0.01, 0.1, 1.0, 10.0)
    ]
    theirs = [fit.predict_proba(features / features.std()) for fit in fits]
    assert min(np.abs(model(SCORES) - one).max() for one in theirs) < 1e-5


def test_stacking_two_classes_gives_two_probabilities():
    scores, _, labels = parts_of_digits(2)
    model, _ = stacked(scores, labels, 0)
    found = model(scores)
    assert found.shape == (len(labels), 2)
    assert (found.argmax(-1) == labels).mean() > 0.97


def test_answers_out_of_part_come_from_fits_that_did_not_see_the_picture():
    seen = []

    def fit(answers, labels):
        mine = {tuple(row) for row in answers[0].round(12)}

        def answer(others):
            seen.append(sum(tuple(row) in mine for row in others[0].round(12)))
            return others.mean(0)

        return answer

    found = out_of_part(fit, ANSWERS, LABELS, 0)
    assert seen == [0] * 5
    assert found == pytest.approx(ANSWERS.mean(0))


def test_weights_out_of_part_do_no_better_than_those_fitted_on_all():
    all_of_them = weighted(ANSWERS, LABELS)(ANSWERS)
    unseen = out_of_part(weighted, ANSWERS, LABELS, 0)
    assert cross_entropy(all_of_them, LABELS) <= cross_entropy(unseen, LABELS)


def test_too_few_pictures_to_fit_on_are_said():
    labels = np.array([0, 0, 0, 1])
    with pytest.raises(ConfigError, match="fewer than two pictures of a class"):
        out_of_part(weighted, np.full((2, 4, 2), 0.5), labels, 0)
