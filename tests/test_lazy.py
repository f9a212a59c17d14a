import sys

import pytest

from pipeline.errors import ConfigError
from pipeline.lazy import LazyTable, Signature, load, nearest


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Two rows in a package that says when it is imported."""
    (tmp_path / "rows_of_a_test.py").write_text(
        'print("imported")\n\n'
        'def net(shape, classes, width: int = 32, *, kind="a", deep: bool = False, free):\n'
        '    """Say what it is.\n\n    And more.\n    """\n'
        "    return width\n\n"
        "def plain(shape):\n    return shape\n\n"
        "class Row:\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield LazyTable("net", {name: f"rows_of_a_test:{name}" for name in ("net", "plain", "Row")})
    sys.modules.pop("rows_of_a_test", None)


def test_listing_imports_nothing(table, capsys):
    assert list(table) == ["net", "plain", "Row"]
    assert len(table) == 3
    assert "net" in table
    assert "nets" not in table
    assert table.reference("net") == "rows_of_a_test:net"
    assert table.function("net").defaults
    assert capsys.readouterr().out == ""
    assert "rows_of_a_test" not in sys.modules


def test_using_a_row_imports_it_once(table, capsys):
    assert table["net"]((8, 8, 1), 10, free=1) == 32
    assert table["plain"](3) == 3
    assert capsys.readouterr().out == "imported\n"


def test_a_function_is_described_as_it_is_written(table):
    described = table.function("net")
    assert described.text.startswith("Say what it is.")
    assert described.defaults == {"width": 32, "kind": "a", "deep": False}
    assert table.function("plain").defaults == {}
    assert table.function("plain").text == ""


@pytest.mark.parametrize("use", [LazyTable.__getitem__, LazyTable.reference, LazyTable.function])
def test_an_unknown_name_raises_with_the_nearest(use, table):
    with pytest.raises(ConfigError, match=r"^unknown net 'plane': did you mean 'plain'\?$"):
        use(table, "plane")


def test_a_row_that_points_nowhere_says_so(table):
    with pytest.raises(ConfigError, match="no function 'Row' at its top level"):
        table.function("Row").defaults  # noqa: B018
    with pytest.raises(ConfigError, match="module no_such_module_here is not there"):
        LazyTable("net", {"a": "no_such_module_here:a"}).function("a")


def test_a_default_that_is_no_literal_is_not_guessed(tmp_path):
    (tmp_path / "odd.py").write_text("def f(a=print): pass\n")
    with pytest.raises(ValueError, match="malformed"):
        Signature(tmp_path / "odd.py", "f").defaults  # noqa: B018


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("epohcs", ["epochs", "batch"], "did you mean 'epochs'?"),
        ("zzz", ["epochs", "batch"], "known: batch, epochs"),
        ("zzz", [], "there are none"),
    ],
)
def test_the_nearest_name_or_all_of_them(word, known, said):
    assert nearest(word, iter(known)) == said


def test_a_reference_is_loaded():
    assert load("pipeline.lazy:load") is load


def test_a_partial_is_described_as_its_function_without_what_it_settles(tmp_path):
    (tmp_path / "nets.py").write_text(
        "from functools import partial\nfrom typing import Literal\n\n"
        'def net(shape, depth, width=1.0, stem: Literal["auto", "small"] = "auto", name="net"):\n'
        '    """Say what it is."""\n\n'
        'net18 = partial(net, depth=18, name="net18")\n'
        "other = sorted(net)\n"
    )
    described = Signature(tmp_path / "nets.py", "net18")
    assert described.text.startswith("Say what it is.")
    assert described.defaults == {"width": 1.0, "stem": "auto"}
    assert described.choices == {"stem": ("auto", "small")}
    with pytest.raises(ConfigError, match="no function 'other' at its top level"):
        Signature(tmp_path / "nets.py", "other").defaults  # noqa: B018
