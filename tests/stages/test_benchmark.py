import hashlib
import json

import numpy as np
import pytest

from pipeline.data import dataset
from pipeline.measure.litert import LiteRT
from pipeline.stages import benchmark
from pipeline.stages.benchmark import Answers, by_class, compare, describe, draw
from tests.show.drawn import words

TEST = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
VALIDATION = np.array([0, 1, 2, 2])


def sure_of(*classes):
    """Probabilities whose top is each of these classes."""
    return np.eye(3, dtype=np.float32)[list(classes)] * 0.8 + 0.1


REFERENCE = Answers(sure_of(*TEST[:9], 1), sure_of(*VALIDATION))  # wrong on the last test picture
OWN = Answers(sure_of(1, 2, *TEST[2:]), sure_of(0, 1, 2, 0))  # wrong on the first two


def test_a_file_is_compared_with_the_reference_picture_by_picture():
    found = compare(OWN, REFERENCE, TEST, VALIDATION)
    assert found["accuracy"] == 0.8
    assert found["validation_accuracy"] == 0.75
    assert found["drop_pp"] == pytest.approx(10)
    assert found["agreement"] == 0.7
    assert found["mcnemar_p"] == 1  # two against one
    low, high = found["accuracy_ci95"]
    assert 0.4 < low < 0.8 < high < 0.97


def test_what_was_gained_and_lost_is_counted_in_all_and_by_class():
    found = compare(OWN, REFERENCE, TEST, VALIDATION)
    assert (found["gained"], found["lost"]) == (1, 2)
    zero, one, two = by_class(OWN, REFERENCE, TEST, ["a", "b", "c"])
    assert zero == {"class": "a", "pictures": 4, "gained": 1, "lost": 1, "drop_pp": 0}
    assert one == {"class": "b", "pictures": 3, "gained": 0, "lost": 1, "drop_pp": 100 / 3}
    assert two["drop_pp"] == 0


def test_how_sure_a_file_is_is_held_against_how_right_it_is():
    assert compare(OWN, REFERENCE, TEST, VALIDATION)["calibration_error"] == pytest.approx(0.1)
    assert compare(OWN, REFERENCE, TEST, VALIDATION)["top_k"] is None, "of three classes"
    wide = Answers(np.eye(8)[TEST + 1] + np.eye(8)[TEST] / 2, np.eye(8)[VALIDATION])
    found = compare(wide, wide, TEST, VALIDATION)
    assert (found["accuracy"], found["top_k"]) == (0, {"k": 5, "accuracy": 1})


def test_only_what_differs_is_drawn():
    images, classes = np.zeros((10, 4, 4, 1), np.uint8), ["a", "b", "c"]
    answers = {"float32": REFERENCE, "same": REFERENCE, "int8": OWN}
    drawn = draw("int8", answers, (images, TEST), classes)
    assert set(drawn) == {"reliability", "confusion_change", "changed_pictures"}
    assert any("All 2 test pictures" in text for text in words(drawn["changed_pictures"]))
    assert set(draw("same", answers, (images, TEST), classes)) == {"reliability"}
    better = answers | {"int8": Answers(sure_of(*TEST), OWN.validation)}
    drawn = draw("int8", better, (images, TEST), classes)
    assert set(drawn) == {"reliability", "confusion_change"}, "a picture gained, none lost"
    assert len(draw("float32", answers, (images, TEST), classes)["reliability"].axes) == 3
    sets = np.eye(3, dtype=np.uint8)[TEST]
    drawn = draw("int8", answers, (images, sets), classes)
    assert set(drawn) == {"reliability", "changed_pictures"}


def test_the_reference_compared_with_itself_loses_nothing():
    found = compare(REFERENCE, REFERENCE, TEST, VALIDATION)
    assert (found["accuracy"], found["drop_pp"], found["agreement"]) == (0.9, 0, 1)
    assert (found["mcnemar_p"], found["validation_accuracy"]) == (1, 1)


def test_a_better_file_has_a_drop_below_zero():
    perfect = Answers(sure_of(*TEST), sure_of(*VALIDATION))
    assert compare(perfect, REFERENCE, TEST, VALIDATION)["drop_pp"] == pytest.approx(-10)


def test_a_file_describes_itself(chain):
    path = chain["int8"] / "model.tflite"
    said = describe("int8", path)
    content = path.read_bytes()
    assert said["name"] == "int8"
    assert said["file"] == "tflite/model.tflite"
    assert said["bytes"] == len(content)
    assert said["sha256"] == hashlib.sha256(content).hexdigest()
    assert said["ops"]["int8"] > 5
    assert said["ops"]["float32"] == said["ops"]["other"] == 0
    assert 0 < said["nonzero_params"] <= said["params"]
    assert min(said["macs"], said["arena_bytes"], said["gzip_bytes"]) > 0


def test_every_file_has_a_row_measured_on_the_whole_test_split_and_so_in_a_replica_untimed(
    chain, metrics, settings, do, tmp_path
):
    folder = tmp_path / "export"
    (folder / "tflite").mkdir(parents=True)
    for variant in ("float32", "int8"):
        content = (chain[variant] / "model.tflite").read_bytes()
        (folder / "tflite" / f"{variant}.tflite").write_bytes(content)
    quick = settings(
        "benchmark", benchmark={"rounds": 2, "runs": 3, "warmup": 1, "most_threads": 2}
    )
    said = do(benchmark, quick, {"ingest": chain["ingest"], "export": folder}, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert said == {"files": 2, "pictures": metrics["ingest"]["test"]}
    rows = {row["name"]: row for row in found["variants"]}
    assert set(rows) == {"float32", "int8"}
    assert rows["float32"]["drop_pp"] == 0
    assert rows["float32"]["latency_ratio"] == 1
    assert rows["int8"]["bytes"] < 0.6 * rows["float32"]["bytes"]
    for row in rows.values():
        assert row["latency_us"]["runs"] == 6
        assert 0 < row["latency_us"]["p50"] <= row["latency_us"]["p99"]
        assert row["latency_us"]["cold_start"] > row["latency_us"]["p50"]
        low, high = row["latency_ratio_range"]
        assert low <= row["latency_ratio"] <= high
        one, two = row["latency_by_threads"]
        assert (one["threads"], two["threads"]) == (1, 2)
        assert one["p50"] == row["latency_us"]["p50"] != two["p50"]
        assert (row["accuracy"] * said["pictures"]) == pytest.approx(
            round(row["accuracy"] * said["pictures"])
        )
    assert abs(rows["int8"]["accuracy"] - rows["float32"]["accuracy"]) < 0.05
    drawn = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    counts_and_figures_are_of_the_files(chain, rows, drawn)
    assert found["machine"]["cpu"]
    assert found["machine"]["amx"] in {"none", "off"}
    again = settings("benchmark#2", repeat=2)
    roles = {variant: chain[variant] for variant in ("float32", "int8")}
    assert do(benchmark, again, {"ingest": chain["ingest"]} | roles, tmp_path / "again") == said
    untimed = json.loads((tmp_path / "again" / "benchmark.json").read_text())
    keys = ["name", "accuracy", "accuracy_ci95", "validation_accuracy", "drop_pp", "agreement",
            "mcnemar_p", "gained", "lost", "calibration_error", "top_k", "classes"]  # fmt: skip
    assert untimed == {
        "variants": [
            {key: rows[name][key] for key in keys if key in rows[name]}
            for name in ("float32", "int8")
        ]
    }
    assert not (tmp_path / "again" / "figures").exists()


def counts_and_figures_are_of_the_files(chain, rows, drawn):
    """Check what is said of gains, losses and calibration against the files' own answers."""
    images, labels = dataset.test_split(chain["ingest"])
    answers = {name: LiteRT(chain[name] / "model.tflite").predict(images) for name in rows}
    for name, row in rows.items():
        hits = answers[name].argmax(axis=1) == labels
        reference_hits = answers["float32"].argmax(axis=1) == labels
        assert row["gained"] - row["lost"] == hits.sum() - reference_hits.sum()
        assert 0 < row["calibration_error"] < 1
        assert row["top_k"]["k"] == 5
        assert row["accuracy"] <= row["top_k"]["accuracy"] <= 1
    by_class = rows["int8"]["classes"]
    assert "classes" not in rows["float32"]
    assert [one["class"] for one in by_class] == [str(number) for number in range(10)]
    assert [one["pictures"] for one in by_class] == np.bincount(labels).tolist()
    assert sum(one["lost"] for one in by_class) == rows["int8"]["lost"]
    assert "reliability-int8.png" in drawn
    said_otherwise = answers["int8"].argmax(axis=1) != answers["float32"].argmax(axis=1)
    if said_otherwise.any():
        assert "confusion_change-int8.png" in drawn
    assert ("changed_pictures-int8.png" in drawn) is (rows["int8"]["lost"] > 0)
