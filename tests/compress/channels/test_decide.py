import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.channels import Decision, Size, rebuild, trace
from pipeline.errors import ConfigError
from pipeline.settings import Slim

NO_PICTURES = (np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64))


@pytest.fixture(scope="module")
def traced():
    keras.utils.set_random_seed(0)
    convolutions = [L.Conv2D(n, 3, padding="same") for n in (32, 48)]
    return trace(
        keras.Sequential(
            [keras.Input((8, 8, 3)), *convolutions, L.GlobalAveragePooling2D(), L.Dense(2)]
        )
    )


def decision(traced, seen, **said):
    """By settings, where the second group alone takes time: all but a fifth of it."""

    def measured(measure, _, tried):
        seen.append(len(tried))
        if measure == "bytes":
            return [0.1 + 0.9 * masks[1].mean() * masks[0].mean() for masks in tried]
        return [0.2 + 0.8 * masks[1].mean() for masks in tried]

    settings = Slim(importance="l2", **said)
    return Decision(settings, traced, NO_PICTURES, False, measured)


def test_what_takes_the_time_goes_first_where_cost_is_asked(traced):
    seen = []
    found = decision(traced, seen, latency=0.7, ranking="cost").within(traced, {"latency": 0.7})
    first, second = found.masks
    assert first.all()
    assert second.sum() == 24
    assert found.shares["latency"] == pytest.approx(0.2 + 0.8 * 24 / 48)
    assert seen[0] == 1 + len(traced.groups)
    blind = decision(traced, [], latency=0.7).within(traced, {"latency": 0.7})
    assert not blind.masks[0].all()


def test_a_share_of_macs_is_of_the_whole_network_in_later_rounds_too(traced):
    asked = decision(traced, [], macs=0.25)
    half = asked.within(traced, {"macs": 0.5})
    assert 0.35 < half.shares["macs"] <= 0.5
    thin = trace(rebuild(traced, half.masks))
    quarter = asked.within(thin, {"macs": 0.25})
    assert 0.12 < quarter.shares["macs"] <= 0.25


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"latency": 0.3}, "slim.latency: 30.0% is out of reach: .* 33.3% remains"),
        ({"macs": 0.01}, "slim: macs of 1.0% are out of reach"),
    ],
)
def test_what_the_last_round_cannot_come_to_is_refused_in_the_first(traced, said, why):
    with pytest.raises(ConfigError, match=why):
        decision(traced, [], **said).within(traced, dict.fromkeys(said, 0.9))


@pytest.mark.parametrize(
    "targets",
    [
        {"macs": 0.9, "bytes": 0.4},
        {"macs": 0.4, "bytes": 0.9},
        {"macs": 0.6, "latency": 0.5},
        {"latency": 0.8, "bytes": 0.5},
        {"macs": 0.5, "latency": 0.6, "bytes": 0.4},
    ],
    ids=str,
)
def test_all_targets_are_met_and_nothing_more_fits(traced, targets):
    found = decision(traced, [], **targets, multiple=2).within(traced, targets)
    first, second = (float(mask.mean()) for mask in found.masks)
    size = Size(traced, "macs")
    counted = {
        "macs": size.of_masks(found.masks) / size.whole,
        "bytes": 0.1 + 0.9 * first * second,
        "latency": 0.2 + 0.8 * second,
    }
    assert found.shares == pytest.approx({name: counted[name] for name in targets})
    assert all(found.shares[name] <= share for name, share in targets.items())
    assert any(found.shares[name] > share - 0.08 for name, share in targets.items())
