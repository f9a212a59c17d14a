import json
import re

import keras
import numpy as np
import pytest

from pipeline.compress import channels
from pipeline.compress.anatomy import anatomy
from pipeline.compress.channels import decide, search
from pipeline.data.dataset import validation_split
from pipeline.errors import ConfigError
from pipeline.fit.files import load_model
from pipeline.fit.history import read_history
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.latency import Latency
from pipeline.settings import CHECKPOINTS, LOGS
from pipeline.stages import quantize, slim
from tests.keras_accuracy import accuracy
from tests.marks import slow_but

QUICK = {"epochs": 1, "multiple": 2, "pictures": 128}
VARIANTS = ["slim+int8"]


@pytest.fixture
def inputs(chain):
    return {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}


@pytest.fixture
def said(settings):
    """Settings of the step, a quick one."""
    return lambda **words: settings("slim(slim)", slim=QUICK | words, variants=VARIANTS)


def story(folder):
    return json.loads((folder / "slim.json").read_text())


def reached(found):
    """What everything that has a target came to."""
    return {one["measure"]: one["reached"] for one in found["targets"]}


@pytest.fixture(scope="module")
def made(chain, settings, do, tmp_path_factory):
    """Two rounds to half of the multiply-accumulates; what the stage said, and its folder."""
    out = tmp_path_factory.mktemp("slim")
    roles = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    words = settings("slim(slim)", slim=QUICK | {"rounds": 2, "epochs": 2}, variants=VARIANTS)
    return do(slim, words, roles, out), out


def test_half_of_the_multiply_accumulates_stay_and_it_reads_digits(made, chain):
    metrics, out = made
    before, after = (load_model(folder / "model.keras") for folder in (chain["train"], out))
    found = story(out)
    assert found["macs"] == [anatomy(before).macs, anatomy(after).macs]
    assert 0.4 * found["macs"][0] < found["macs"][1] <= 0.5 * found["macs"][0]
    assert found["params"] == [before.count_params(), after.count_params()]
    assert reached(found) == {"macs": found["macs"][1] / found["macs"][0]}
    for layer in found["layers"]:
        given = after.get_layer(layer["name"]).output.shape[-1]
        assert layer["channels"] == [before.get_layer(layer["name"]).output.shape[-1], given]
        assert given % 2 == 0
    assert found["layers"][-1]["channels"] == [10, 10]
    split = validation_split(chain["ingest"])
    assert found["val_accuracy"] == pytest.approx(accuracy(before, split), abs=1e-6)
    assert metrics["val_accuracy"] == pytest.approx(accuracy(after, split), abs=1e-6)
    assert metrics["val_accuracy"] > 0.5
    assert (metrics["macs"], metrics["params"]) == (found["macs"][1], found["params"][1])


def test_each_round_takes_the_same_share_and_its_curve_is_written_down(made):
    metrics, out = made
    found = story(out)
    first, second = found["rounds"]
    assert 0.5 < first["shares"]["macs"] <= 0.5**0.5
    assert second["shares"] == reached(found)
    assert second["shares"]["macs"] <= 0.5
    assert [one["shares"]["macs"] for one in found["rounds"]] == [
        one["macs"] / found["macs"][0] for one in found["rounds"]
    ]
    assert first["tuned"] > first["settled"]
    assert second["tuned"] == metrics["val_accuracy"]
    history = read_history(out)
    assert history["round"] == [1, 1, 2, 2]
    assert max(history["val_accuracy"][:2]) == pytest.approx(first["tuned"])
    assert len(read_history(out / LOGS)["loss"]) == 2


@pytest.mark.slow
def test_the_int8_file_of_it_is_smaller(made, chain, settings, do, tmp_path):
    said = settings("quantize(slim+int8)", slim=QUICK, variants=VARIANTS)
    do(quantize, said, {"ingest": chain["ingest"], "candidate": made[1]}, tmp_path)
    whole, slimmed = (inspect(at / "model.tflite") for at in (chain["int8"], tmp_path))
    assert slimmed.bytes < 0.8 * whole.bytes
    assert slimmed.macs <= 0.5 * whole.macs


class CutOff(BaseException):
    """Stands for a pulled plug: nothing may catch it."""


@pytest.mark.slow
def test_cut_off_in_the_second_round_it_comes_to_the_same_bytes(
    made, settings, do, inputs, tmp_path, monkeypatch
):
    words = settings("slim(slim)", slim=QUICK | {"rounds": 2, "epochs": 2}, variants=VARIANTS)
    epochs = []

    def cut(epoch, logs):
        epochs.append(epoch)
        if epochs == [0, 1, 0, 1]:
            raise CutOff

    stop = keras.callbacks.LambdaCallback(on_epoch_begin=cut)
    whole = slim.fit
    monkeypatch.setattr(slim, "fit", lambda *args, **kw: whole(*args, callbacks=[stop], **kw))
    with pytest.raises(CutOff):
        do(slim, words, inputs, tmp_path)
    assert epochs == [0, 1, 0, 1], "the second round has begun"
    epochs.clear()
    monkeypatch.setattr(channels.Decision, "within", None)  # what was chosen is not chosen again
    again = do(slim, words, inputs, tmp_path)
    assert epochs == [1], "no epoch that was over is redone"
    assert again["resumed_from_epoch"] == 2 + 1
    assert again | {"resumed_from_epoch": None} == made[0]
    for name in ("model.keras", "history.csv", "slim.json"):
        assert (tmp_path / name).read_bytes() == (made[1] / name).read_bytes()


@pytest.mark.slow
def test_bytes_are_those_of_the_int8_file(said, do, inputs, chain, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(search, "STEPS", 2)  # so that it is quick
    do(slim, said(bytes=0.75), inputs, tmp_path / "slim")
    found = story(tmp_path / "slim")
    (target,) = found["targets"]
    assert (target["measure"], target["asked"]) == ("bytes", 0.75)
    assert 0.5 < target["reached"] <= 0.75
    file = settings("quantize(slim+int8)", slim=QUICK, variants=VARIANTS)
    roles = {"ingest": chain["ingest"], "candidate": tmp_path / "slim"}
    do(quantize, file, roles, tmp_path / "int8")
    whole, own = (inspect(at / "model.tflite").bytes for at in (chain["int8"], tmp_path / "int8"))
    assert own / whole == pytest.approx(target["reached"], abs=0.02)


@pytest.fixture
def clock(monkeypatch):
    """Files that hold multiply-accumulates alone, and a clock that reads those.

    Half of the time is for what stays the same. What each look found, by the files' names.
    """
    looks = []

    def timed(files, images, *, reference):
        macs = {name: int(path.read_text()) for name, path in files.items()}
        looks.append(macs)
        ratios = {name: 0.5 + 0.5 * own / macs[reference] for name, own in macs.items()}
        return {
            name: Latency(*[9.0] * 4, 1, 9, ratio, (ratio, ratio), None, 0.0, (), "none")
            for name, ratio in ratios.items()
        }

    monkeypatch.setattr(slim, "time_files", timed)
    monkeypatch.setitem(slim.FORMATS, "int8", lambda model, *_: b"%d" % anatomy(model).macs)
    return looks


def test_a_latency_is_measured_on_files_beside_that_of_the_whole(clock, said, do, inputs, tmp_path):
    do(slim, said(latency=0.8), inputs, tmp_path)
    found = story(tmp_path)
    whole, left = found["macs"]
    assert reached(found)["latency"] == pytest.approx(0.5 + 0.5 * left / whole)
    assert 0.75 < reached(found)["latency"] <= 0.8
    assert len(clock) == 2
    assert all(look["whole"] == whole for look in clock)
    assert all(own < whole for look in clock for name, own in look.items() if name != "whole")


@pytest.mark.slow
def test_targets_that_are_said_together_are_all_met(said, do, inputs, tmp_path):
    do(slim, said(macs=0.6, bytes=0.7, rounds=2), inputs, tmp_path)
    found = story(tmp_path)
    asked = {one["measure"]: one["asked"] for one in found["targets"]}
    assert asked == {"macs": 0.6, "bytes": 0.7}
    assert all(share <= asked[measure] for measure, share in reached(found).items())
    assert reached(found)["macs"] == found["macs"][1] / found["macs"][0]
    for number, one in enumerate(found["rounds"], 1):
        for measure, share in asked.items():
            assert one["shares"][measure] <= share ** (number / 2)


def test_of_a_latency_what_takes_most_time_for_its_worth_goes_first(
    clock, said, do, inputs, tmp_path, monkeypatch
):
    asked = []
    choose = decide.choose
    monkeypatch.setattr(
        decide, "choose", lambda *given, **how: asked.append(how) or choose(*given, **how)
    )
    monkeypatch.setattr(slim, "fit", lambda *_, **__: {}["enough"])
    with pytest.raises(KeyError, match="enough"):
        do(slim, said(latency=0.8, ranking="cost"), inputs, tmp_path)
    traced = channels.trace(load_model(inputs["candidate"] / "model.keras"))
    assert len(clock) > 1, "once without each group, and then choices"
    assert len(clock[0]) == 2 + len(traced.groups)
    assert all(how["ranking"] == "cost" and how["costs"] is not None for how in asked)


def test_a_latency_that_nothing_reaches_says_how_far_it_got(clock, said, do, inputs, tmp_path):
    message = r"slim.latency: 40.0% is out of reach: with all removed that can be, 5\d.\d% remains"
    with pytest.raises(ConfigError, match=message):
        do(slim, said(latency=0.4, rounds=2), inputs, tmp_path)
    assert not (tmp_path / "model.keras").exists()
    assert not list((tmp_path / CHECKPOINTS).rglob("epoch-*")), "nothing was tuned for it"


def test_multiply_accumulates_that_nothing_reaches_say_so_before_anything_is_tuned(
    said, do, inputs, tmp_path, monkeypatch
):
    monkeypatch.setattr(slim, "fit", None)
    message = r"slim: macs of 1.0% are out of reach: with all removed that can be, \d+.\d% remain"
    with pytest.raises(ConfigError, match=message):
        do(slim, said(macs=0.01, rounds=3), inputs, tmp_path)


def test_kept_layers_keep_their_channels(said, do, inputs, tmp_path):
    do(slim, said(keep=["conv2d", "*_1"], macs=0.85), inputs, tmp_path)
    pairs = {layer["name"]: layer["channels"] for layer in story(tmp_path)["layers"]}
    assert pairs["conv2d"] == [6, 6]
    assert pairs["conv2d_1"] == [12, 12]
    assert pairs["conv2d_2"][1] < 24


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"keep": ["hidden*"]}, "keep pattern 'hidden*' matches no layer: "),
        ({"keep": ["*"]}, "slim: model 'small_cnn' has no channel that can be removed"),
        ({"multiple": 32}, "has no channel that can be removed in multiples of 32"),
    ],
)
def test_what_cannot_be_slimmed_is_refused_by_name(words, why, said, do, inputs, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(why)):
        do(slim, said(**words), inputs, tmp_path)


@pytest.mark.parametrize("importance", slow_but(["taylor"], ["taylor", "l1", "l2", "scale"]))
def test_what_a_channel_is_worth_can_be_told_in_four_ways(
    importance, said, do, inputs, tmp_path, monkeypatch
):
    masks = []
    rebuild = channels.rebuild
    monkeypatch.setattr(
        channels, "rebuild", lambda *given: masks.append(given[1]) or rebuild(*given)
    )
    monkeypatch.setattr(slim, "fit", lambda *_, **__: {}["enough"])
    with pytest.raises(KeyError, match="enough"):
        do(slim, said(importance=importance), inputs, tmp_path)
    model = load_model(inputs["candidate"] / "model.keras")
    kept = masks[0][0]
    kernel = np.asarray(model.get_layer("conv2d").kernel)
    gamma = np.asarray(model.get_layer("batch_normalization").gamma)
    assert len(kept) == 6 == kernel.shape[-1]
    if importance == "scale" and not kept.all():
        assert np.abs(gamma[kept]).min() >= np.abs(gamma[~kept]).max()


@pytest.mark.slow
def test_the_teacher_is_the_network_as_it_came(said, do, inputs, tmp_path, monkeypatch):
    taught = []
    monkeypatch.setattr(slim, "pupil", lambda *given: taught.append(given) or {}["x"])
    with pytest.raises(KeyError):
        do(slim, said(teacher=0.7, temperature=4.0, rounds=2), inputs, tmp_path)
    ((learner, teacher, *how),) = taught
    assert how == [4.0, 0.7, False]
    came = load_model(inputs["candidate"] / "model.keras")
    images = validation_split(inputs["ingest"])[0][:8].astype("float32")
    wanted = came.predict(images, verbose=0)
    assert np.array(teacher(images)) == pytest.approx(wanted, abs=1e-6)
    assert learner.count_params() < came.count_params()


@pytest.mark.slow
def test_without_a_teacher_labels_are_all_there_is(said, do, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(slim, "pupil", None)
    do(slim, said(teacher=0.0), inputs, tmp_path / "alone")
    monkeypatch.undo()
    do(slim, said(teacher=0.9), inputs, tmp_path / "taught")
    weights = [load_model(tmp_path / one / "model.keras").weights for one in ("alone", "taught")]
    assert any(not np.array_equal(one, other) for one, other in zip(*weights, strict=True))


@pytest.mark.slow
def test_pictures_may_be_mixed(said, do, inputs, tmp_path):
    (tmp_path / "policy.json").write_text(json.dumps([{"mixup": {"alpha": 1.0}}]))
    do(slim, said(), inputs | {"augment": tmp_path}, tmp_path / "mixed")
    do(slim, said(), inputs, tmp_path / "plain")
    first = [read_history(tmp_path / one)["loss"][0] for one in ("mixed", "plain")]
    assert first[0] != first[1]


def test_an_optimizer_that_there_is_not_is_said_first(settings):
    words = settings("slim(slim)", slim={"optimizer": {"adam": {"beta": 0.9}}}, variants=VARIANTS)
    with pytest.raises(ConfigError, match="adam takes no argument 'beta': did you mean 'beta_"):
        slim.check(words)
