"""What a candidate is over, in words."""

import pytest

from pipeline.search.examine import exceeded
from pipeline.settings import Search

FACTS = {"bytes": 1234, "macs": 5_000_000, "latency_us": 0.0456}


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, None),
        ({"max_bytes": 1234, "max_macs": 5_000_000, "max_latency_us": 0.0456}, None),
        ({"max_bytes": 1233}, "1,234 bytes of 1,233"),
        ({"max_latency_us": 0.001}, "0.0456 latency_us of 0.001"),
        (
            {"max_bytes": 100, "max_macs": 4_999_999},
            "1,234 bytes of 100, 5,000,000 macs of 4,999,999",
        ),
    ],
)
def test_a_limit_that_is_exceeded_is_said_with_what_it_came_to(limits, said):
    assert exceeded(Search(**limits), FACTS) == said
