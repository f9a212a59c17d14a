"""What lies on disk of trials, the best of them, and those that no other beats."""

import pandas
import pytest

from pipeline import recipe
from pipeline.search.trials import (
    Trial,
    Trials,
    best,
    front,
    sweep,
    write,
    write_recipe,
    write_table,
)


def trained(number, accuracy, size=1000, latency=10.0, **more):
    return Trial(
        trial=number,
        status="trained",
        values={"build.width": size, "augment.policy": [{"flip": None}]},
        bytes=size,
        latency_us=latency,
        macs=1,
        val_accuracy=accuracy,
        seconds=1.5,
        **more,
    )


def refused(number, size=9000):
    return Trial(
        trial=number,
        status="refused",
        values={"build.width": size, "augment.policy": "light"},
        bytes=size,
        latency_us=1.0,
        macs=1,
        seconds=0.5,
        reason="9,000 bytes of 5,000",
    )


def test_the_best_is_the_most_accurate_and_of_equals_the_smaller():
    found = [trained(1, 0.9, 3000), trained(2, 0.95, 2000), trained(3, 0.95, 1500), refused(4)]
    assert best(found, "val_accuracy") == found[2]
    assert best([refused(1)], "val_accuracy") is None
    int8 = [trained(1, 0.99, int8_accuracy=0.8), trained(2, 0.9, int8_accuracy=0.89)]
    assert best(int8, "int8_accuracy") == int8[1]


def test_the_front_has_those_that_no_other_beats_in_all_three():
    found = [
        trained(1, 0.90, 1000, 10.0),
        trained(2, 0.90, 1200, 11.0),  # beaten by the first
        trained(3, 0.95, 3000, 30.0),
        trained(4, 0.93, 3500, 20.0),  # larger, less accurate than the third, but faster
        trained(5, 0.80, 900, 12.0),  # the smallest
        refused(6),
    ]
    assert [one.trial for one in front(found, "val_accuracy")] == [5, 1, 3, 4]
    twins = [trained(1, 0.9), trained(2, 0.9)]
    assert front(twins, "val_accuracy") == twins[:1]


def test_a_trial_comes_back_as_it_was(tmp_path):
    trials, found = Trials(tmp_path / "trials"), [trained(1, 1 / 3), refused(12)]
    for one in found:
        trials.keep(one)
    assert trials.all() == found
    assert trials.find(12) == found[1]
    assert trials.find(2) is None
    assert sorted(path.name for path in (tmp_path / "trials").iterdir()) == [
        "0001.json",
        "0012.json",
    ]


def test_what_was_written_of_a_trial_stands(tmp_path):
    trials, first = Trials(tmp_path), trained(1, 0.9)
    assert trials.keep(first) is first
    late = first.model_copy(update={"status": "failed", "val_accuracy": None, "reason": "late"})
    assert trials.keep(late) == first == trials.find(1)
    other = first.model_copy(update={"values": {"build.width": 3}})
    assert trials.keep(other) == other == trials.find(1)


def test_a_recipe_comes_back_as_it_was(tmp_path):
    said = {
        "name": "pétanque",
        "ingest": {
            "classes": ["1e5", "1.5e-3", "2:4", "yes", "null", "7", "-.5e+2", "è", "a\x85b"]
        },
        "train": {"learning_rate": 1e-05, "weight_decay": 0.1, "epochs": 3, "nesterov": True},
        "augment": {"policy": [{"flip": None}, "light"]},
    }
    write_recipe(said, ["One\nof many.", "", "  run it"], tmp_path / "best.yaml")
    assert recipe.read(tmp_path / "best.yaml") == said


def test_nothing_half_written_stays(tmp_path):
    kept = tmp_path / "kept.json"
    write(kept, "{}")
    with pytest.raises(UnicodeEncodeError):
        write(kept, "half \ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    assert kept.read_text() == "{}"
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / ".0003.json.a1.draft").write_text("ha")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kept.json"]


def test_the_table_has_a_column_for_each_setting(tmp_path):
    write_table([trained(1, 0.9), refused(2)], tmp_path / "trials.csv")
    table = pandas.read_csv(tmp_path / "trials.csv")
    assert list(table)[:7] == [
        "trial",
        "status",
        "bytes",
        "latency_us",
        "macs",
        "val_accuracy",
        "seconds",
    ]
    assert list(table)[7:] == ["build.width", "augment.policy", "reason"]
    assert table["val_accuracy"].isna().tolist() == [False, True]
    assert table["augment.policy"].tolist() == ['[{"flip": null}]', "light"]
    assert table["build.width"].tolist() == [1000, 9000]
