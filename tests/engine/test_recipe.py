import pytest

from pipeline.errors import ConfigError
from pipeline.recipe import overlay, parse, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1e-3", 0.001), ("1E5", 1e5), ("-2.5e+2", -250.0), ("3", 3), ("0.5", 0.5), ("e3", "e3")],
        *[("2:4", "2:4"), ("1_000", 1000)],
    ],
)
def test_numbers_read_as_in_yaml_1_2(text, value):
    assert parse(text, "here") == value
    assert type(parse(text, "here")) is type(value)


def test_a_key_given_twice_is_an_error_with_its_line():
    with pytest.raises(ConfigError, match=r"r\.yaml, line 1, column 1: key 'seed' is given twice"):
        parse("seed: 1\nname: a\nseed: 2\n", "r.yaml")


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "\t- x", "a: !!python/object:os.system x"])
def test_broken_or_unsafe_yaml_says_where(text):
    with pytest.raises(ConfigError, match=r"^r\.yaml.*line 1"):
        parse(text, "r.yaml")


def test_deeply_nested_yaml_is_refused_not_a_crash():
    with pytest.raises(ConfigError, match=r"^r\.yaml"):
        parse("[" * 5000, "r.yaml")


def test_later_overrides_win_and_the_recipe_stays_as_it_was():
    recipe = {"train": {"epochs": 5}}
    laid = overlay(
        recipe, ["train.epochs=7", "train.epochs=9", "build.model=lenet5", "variants=[int8]"]
    )
    assert laid == {"train": {"epochs": 9}, "build": {"model": "lenet5"}, "variants": ["int8"]}
    assert recipe == {"train": {"epochs": 5}}


@pytest.mark.parametrize("override", ["train.epochs", "=3", "train.epochs.more=3"])
def test_an_override_that_is_none_is_quoted(override):
    with pytest.raises(ConfigError, match=r"train\.epochs|=3"):
        overlay({"train": {"epochs": 5}}, [override])


def test_an_empty_recipe_is_a_recipe_and_a_list_is_not(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("# only a comment\n")
    assert read(path) == {}
    path.write_text("- train\n")
    with pytest.raises(ConfigError, match="a recipe is `section:` lines, not a list"):
        read(path)


def test_a_recipe_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        read(path)
    with pytest.raises(ConfigError, match="no such recipe"):
        read(tmp_path / "absent.yaml")
