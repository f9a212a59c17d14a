import pytest

from pipeline.measure.choice import contenders, recommend


def row(name, validation, size=0.3, latency=0.3, packed=None, **more):
    return {
        "name": name,
        "validation_accuracy": validation,
        "bytes": round(100_000 * size),
        "gzip_bytes": round(90_000 * (packed or size)),
        "latency_ratio": latency,
        "ops": {"int8": 9, "float32": 0, "other": 0},
        **more,
    }


def base(validation=0.95, **more):
    return row("float32", validation, 1.0, 1.0, **more)


def chosen(*rows, most=1.0):
    return recommend(rows, "float32", most)


def test_the_cheapest_within_the_limit_is_chosen_however_accurate_dearer_ones_are():
    name, reason = chosen(
        base(), row("float16", 0.951, 0.5, 1.0), row("int8", 0.945), row("dynamic", 0.95, 0.3, 0.8)
    )
    assert name == "int8"
    assert reason.startswith("loses 0.50 points of validation accuracy (at most 1 allowed) at ")
    assert "0.30x the bytes and 0.30x the latency of float32" in reason
    assert "of the 4 files within that limit" in reason


def test_cost_weighs_size_and_latency_alike():
    half_and_half = row("balanced", 0.95, 0.5, 0.5)
    assert chosen(base(), half_and_half, row("lopsided", 0.95, 0.1, 3.0))[0] == "balanced"
    assert chosen(base(), half_and_half, row("lopsided", 0.95, 0.1, 2.0))[0] == "lopsided"


def test_what_packs_small_but_lies_large_in_memory_is_not_cheap():
    assert chosen(base(), row("int8", 0.95), row("pruned", 0.95, 0.5, packed=0.01))[0] == "int8"


def test_the_reference_when_nothing_is_good_enough():
    name, reason = chosen(base(), row("int8", 0.93), row("prune+int8", 0.5, 0.1))
    assert name == "float32"
    assert reason == "no other file is within 1 points of it on validation"


def test_the_reference_when_what_is_good_enough_costs_more():
    name, reason = chosen(base(), row("int16x8", 0.95, 0.3, 90.0), row("int8", 0.5))
    assert name == "float32"
    assert reason == "no file within 1 points of it on validation is clearly cheaper"


def test_the_reference_alone():
    assert chosen(base())[0] == "float32"


@pytest.mark.parametrize(("reference", "own"), [(0.95, 0.94), (0.97, 0.96), (0.99, 0.98)])
def test_a_file_that_loses_exactly_what_it_may_is_within_the_limit(reference, own):
    assert chosen(base(reference), row("int8", own))[0] == "int8"
    assert chosen(base(reference), row("int8", own - 0.001))[0] == "float32"


def test_no_loss_allowed_means_none():
    assert chosen(base(), row("int8", 0.949), row("dynamic", 0.95, 0.4), most=0)[0] == "dynamic"


def test_among_equally_cheap_files_the_more_accurate_is_chosen():
    name, reason = chosen(
        base(), row("int8", 0.945, 0.30), row("qat", 0.949, 0.31), row("slow", 0.95, 0.4)
    )
    assert name == "qat"
    assert reason.endswith("; int8 cost about the same")


def test_then_the_one_that_was_changed_less():
    pruned = row("prune+int8", 0.95, packed=0.1)
    assert chosen(base(), row("int8", 0.95), pruned)[0] == "int8"
    assert chosen(base(), row("int8", 0.94), pruned)[0] == "prune+int8"


def test_then_one_of_integers_alone():
    mixed = {"int8": 0, "float32": 7, "other": 2}
    dynamic = row("dynamic", 0.95, packed=0.1, ops=mixed)
    assert chosen(base(), dynamic, row("int8", 0.95))[0] == "int8"
    assert chosen(base(), dynamic, row("int8", 0.94))[0] == "dynamic"


def test_then_the_one_that_packs_smaller():
    one, other = row("int8", 0.95, packed=0.2), row("another", 0.95, packed=0.1)
    assert chosen(base(), one, other)[0] == chosen(base(), other, one)[0] == "another"


@pytest.mark.parametrize(
    ("validation", "said"),
    [(0.95, "loses nothing of"), (0.955, "gains 0.50 points of"), (0.94, "loses 1.00 points of")],
)
def test_the_reason_says_what_validation_lost_or_gained(validation, said):
    assert chosen(base(), row("int8", validation))[1].startswith(said)


def test_what_is_best_on_test_alone_is_not_chosen():
    class Sealed(dict):
        def __getitem__(self, key):
            assert key not in {"accuracy", "accuracy_ci95", "drop_pp", "agreement", "mcnemar_p"}
            return super().__getitem__(key)

    rows = (
        base(accuracy=0.95, drop_pp=0),
        row("int8", 0.93, accuracy=0.99, drop_pp=-4),
        row("dynamic", 0.95, 0.4, 0.9, accuracy=0.5, drop_pp=45),
    )
    assert chosen(*map(Sealed, rows))[0] == "dynamic"


def test_contenders_are_those_that_some_limit_would_choose():
    rows = [
        base(),
        row("float16", 0.951, 0.5, 1.0),
        row("int8", 0.945),
        row("tiny", 0.80, 0.1, 0.1),
        row("lame", 0.70, 0.2, 0.2),
    ]
    assert contenders(rows, "float32") == ["float16", "int8", "tiny"]
    for limit in (0, 0.1, 0.5, 1, 7, 15, 30, 100):
        assert recommend(rows, "float32", limit)[0] in contenders(rows, "float32")
    assert contenders([base()], "float32") == ["float32"]
