"""What callbacks remember, as arrays and JSON and back."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.fit.attributes import plain_attributes, set_attributes


def there_and_back(**attributes):
    arrays = {}
    spelled = json.loads(json.dumps(plain_attributes(SimpleNamespace(**attributes), "c", arrays)))
    found = SimpleNamespace()
    set_attributes(found, spelled, arrays)
    return vars(found)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 3, 0.1, "text", math.inf, [], (), {}),
        *([1, [2.5, "a"]], (0.5, -math.inf), {"a": (1, 2), "b": [None]}),
    ],
    ids=str,
)
def test_plain_values_come_back_as_they_were(value):
    found = there_and_back(value=value)["value"]
    assert found == value
    assert type(found) is type(value)


def test_arrays_come_back_bit_by_bit_wherever_they_lie():
    weights = [np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3), np.array([1, 2], np.uint8)]
    found = there_and_back(weights=weights, best=np.float32(0.1))
    for one, other in zip(found["weights"], weights, strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
    assert found["best"] == np.float32(0.1)
    assert isinstance(found["best"], np.float32)


def test_a_number_that_is_none_comes_back_as_none():
    assert math.isnan(there_and_back(loss=math.nan)["loss"])


def test_what_keras_sets_and_what_is_not_plain_is_left_alone():
    odd = {"model": 1, "_model": 2, "params": {"steps": 3}, "file": open, "lists": [[object()]]}
    assert there_and_back(wait=2, by_number={1: "a"}, objects=np.array([object()]), **odd) == {
        "wait": 2
    }
