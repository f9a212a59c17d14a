import hashlib
import json

import numpy as np
import pytest

from pipeline.stages import benchmark
from pipeline.stages.benchmark import Answers, compare, describe

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
