"""What a report says of the zeros and clusters in a file."""

import json
import re

import pytest

from pipeline.show.html import to_html
from pipeline.show.kernels import Kernel, kept, told
from pipeline.show.markdown import to_markdown
from pipeline.show.schema import Report
from pipeline.show.sheet import to_csv
from tests.show.conftest import HOSTILE

DENSE = {"weights": 4000, "values": 3990, "zeros": 0, "stored_zeros": 31, "clusters": 201}
SPARSE = DENSE | {"values": 800, "zeros": 3200, "stored_zeros": 3300}
SHARED = DENSE | {"values": 16, "clusters": 15}


def rows(**kernels):
    return [{"name": name, **facts} for name, facts in kernels.items()]


def records(**kernels):
    return tuple(Kernel.model_validate(row) for row in rows(**kernels))


@pytest.fixture
def shrunk(facts):
    facts["variants"][2]["kernels"] = rows(conv=SPARSE, dense=SHARED, head=DENSE)
    return Report.model_validate(facts)


@pytest.mark.parametrize(
    ("kernels", "said"),
    [
        ({"a": DENSE, "b": DENSE}, ""),
        ({"a": SPARSE, "b": DENSE}, "82.5 % zeros in 1 layer"),
        (
            {"a": SHARED, "b": SHARED, "c": DENSE},
            "at most 15 different weights a channel in 2 layers",
        ),
        (
            {"a": SHARED | {"zeros": 2000, "stored_zeros": 2000}, "b": SPARSE},
            "66.2 % zeros in 2 layers, at most 15 different weights a channel in 1 layer",
        ),
    ],
)  # fmt: skip
def test_a_file_is_summed_up_in_a_line(kernels, said):
    assert told(records(**kernels)) == said
    assert kept(records(**kernels)) == bool(said)


def test_few_weights_are_no_clusters():
    assert not kept(records(tiny=DENSE | {"weights": 54, "values": 54}))


def test_every_layer_stands_in_a_table_of_its_variant(shrunk, figures_dir):
    page = to_html(shrunk, figures_dir)
    section = page[page.index('<section id="kernels">') :]
    section = section[: section.index("</section>")]
    assert re.findall(r'<details data-variant="([^"]*)">', section) == ["prune+int8"]
    assert "82.5 % zeros in 1 layer, at most 15 different weights a channel in 1 layer" in section
    assert "36.1 kB, gzip 34.9 kB" in section
    assert re.findall(r'<th scope="row"><bdi>(\w+)', section) == ["conv", "dense", "head"]
    for cell in ("4,000", "82.5 %", "3,200", "201", "3,990"):
        assert f">{cell}</td>" in section


def test_markdown_has_a_line_a_variant(shrunk):
    text = to_markdown(shrunk)
    line = next(line for line in text.splitlines() if line.startswith("| prune+int8 | 82.5 %"))
    assert line.endswith("in 1 layer | 36.1 kB | 34.9 kB |")


def test_where_nothing_is_kept_nothing_is_said(report, figures_dir):
    assert 'id="kernels"' not in to_html(report, figures_dir)
    assert "Zeros and clusters" not in to_markdown(report)
    assert "kernels" not in json.loads(report.to_json())["variants"][2]


def test_json_has_every_kernel_and_csv_none(shrunk):
    written = json.loads(shrunk.to_json())["variants"]
    assert written[2]["kernels"] == rows(conv=SPARSE, dense=SHARED, head=DENSE)
    assert "kernels" not in written[0]
    assert "kernels" not in to_csv(shrunk).splitlines()[0]


def test_a_layer_may_have_any_name(facts, figures_dir):
    attack = "".join(HOSTILE)
    facts["variants"][2]["kernels"] = rows(**{attack: SPARSE})
    page = to_html(Report.model_validate(facts), figures_dir)
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
