import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.channels import Decision, rebuild, trace
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

    def measured(_, tried):
        seen.append(len(tried))
        return [0.2 + 0.8 * masks[1].mean() for masks in tried]

    settings = Slim(importance="l2", **said)
    return Decision(settings, traced, NO_PICTURES, False, measured)


def test_what_takes_the_time_goes_first_where_cost_is_asked(traced):
    seen = []
    found = decision(traced, seen, latency=0.7, ranking="cost").within(traced, 0.7)
    first, second = found.masks
    assert first.all()
    assert second.sum() == 24
    assert found.share == pytest.approx(0.2 + 0.8 * 24 / 48)
    assert seen[0] == 1 + len(traced.groups)
    blind = decision(traced, [], latency=0.7).within(traced, 0.7)
    assert not blind.masks[0].all()


def test_a_share_of_macs_is_of_the_whole_network_in_later_rounds_too(traced):
    asked = decision(traced, [], macs=0.25)
    half = asked.within(traced, 0.5)
    assert 0.35 < half.share <= 0.5
    thin = trace(rebuild(traced, half.masks))
    quarter = asked.within(thin, 0.25)
    assert 0.12 < quarter.share <= 0.25


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"latency": 0.3}, "slim.latency: 30.0% is out of reach: .* 33.3% remains"),
        ({"macs": 0.01}, "slim: macs of 1.0% are out of reach"),
    ],
)
def test_what_the_last_round_cannot_come_to_is_refused_in_the_first(traced, said, why):
    with pytest.raises(ConfigError, match=why):
        decision(traced, [], **said).within(traced, 0.9)
