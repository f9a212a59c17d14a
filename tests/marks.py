"""A way to keep some cases of a test among the quick ones and leave the others to the slow."""

import pytest


def slow_but(quick, every):
    """Parameters of a test, all but those of `quick` marked slow."""
    every = list(every)
    assert all(one in every for one in quick), "a quick case that there is not"
    return [
        pytest.param(
            *(one if isinstance(one, tuple) else (one,)),
            marks=() if one in quick else pytest.mark.slow,
        )
        for one in every
    ]
