"""Planted faults are found as what they are, and mended within the budget."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline.compress.formats import calibrated, quantized
from pipeline.measure import doctor
from pipeline.measure.consultation import consultation
from pipeline.measure.flatbuffer import load
from pipeline.measure.forms import forms
from pipeline.measure.litert import LiteRT
from pipeline.measure.signal import CLEAN_DB, signals, twins
from pipeline.show.doctor import Doctor, told
from tests.measure import sick

CUT = 1200


@pytest.fixture(scope="module")
def labels():
    return load_digits().target


@pytest.fixture(scope="module")
def weights(digit_images, labels):
    return sick.trained(digit_images[:CUT], labels[:CUT]).get_weights()


@pytest.fixture
def patient(weights, digit_images, labels, tmp_path):
    """A function that gives the patient behind a model in which something was planted."""

    def admit(plant, io="uint8", **more):
        model = sick.network()
        model.set_weights(weights)
        plant(model)
        blob = calibrated(model, digit_images[:100])
        original = tmp_path / "calibrated.tflite"
        original.write_bytes(blob)
        said = model.predict(digit_images[CUT:].astype(np.float32), verbose=0)
        told = doctor.Patient(
            original=original,
            make=lambda names: quantized(blob, io, names),
            accuracy=float((said.argmax(axis=1) == labels[CUT:]).mean()),
            pictures=digit_images[CUT:],
            labels=labels[CUT:],
            sample=digit_images[:48],
            max_drop_pp=1.0,
            max_float_share=0.99,
        )
        return replace(told, **more)

    yield admit
    keras.utils.clear_session()


def floats(treatment):
    return [one.number for one in treatment.ship.in_float]


def test_a_healthy_file_is_shipped_as_it_comes(patient, tmp_path):
    found = doctor.treat(patient(lambda model: None), tmp_path)
    assert found.kept
    assert len(found.trials) == 1
    assert found.ship.blob == found.trials[0].blob
    assert found.suspects == ()
    assert min(one.snr_db for one in found.before) > 20


@pytest.mark.parametrize("io", ["uint8", "int8"])
def test_a_layer_with_wild_weights_is_found_and_mended(patient, tmp_path, io, labels):
    ill = patient(sick.wild_weights, io)
    found = doctor.treat(ill, tmp_path)
    plain = found.trials[0]
    assert plain.drop_pp > 10
    worst = found.suspects[0]
    assert doctor.causes(found.suspects)[worst.signal.name] == "weights"
    assert worst.signal.weights_lost > 0.9
    assert "second" in worst.signal.name
    assert found.kept
    assert found.ship.drop_pp <= 1.0
    assert floats(found) == [worst.signal.number]
    path = tmp_path / "mended.tflite"
    path.write_bytes(found.ship.blob)
    again = LiteRT(path).predict(ill.pictures).argmax(axis=1)
    assert (again == labels[CUT:]).mean() == found.ship.accuracy


def test_a_wild_channel_takes_all_that_touch_its_tensor(patient, tmp_path):
    found = doctor.treat(patient(sick.wild_channel), tmp_path)
    assert found.trials[0].drop_pp > 10
    why = doctor.causes(found.suspects)
    by_name = {one.signal.name: one.signal for one in found.suspects}
    first = next(name for name in by_name if "first" in name)
    second = next(name for name in by_name if "second" in name)
    assert (why[first], why[second]) == ("range", "reading")
    assert found.kept
    assert floats(found) == sorted([by_name[first].number, by_name[second].number])
    assert found.after[0].snr_db == CLEAN_DB
    assert found.after[-1].snr_db > found.before[-1].snr_db + 10


def test_what_may_not_stay_in_float_is_named_and_the_best_file_shipped(patient, tmp_path):
    ill = patient(sick.wild_channel, max_float_share=0.05)
    found = doctor.treat(ill, tmp_path)
    assert not found.kept
    assert found.ship.drop_pp == min(one.drop_pp for one in found.trials)
    assert all(one.float_share <= 0.05 for one in found.trials)
    facts = consultation(ill, found, lambda name: "first" if "first" in name else name, tmp_path)
    lines = told(Doctor(name="int8", **facts))
    assert "cannot be held" in lines[0]
    assert "quantize.max_float_share" in lines[0]
    assert lines[1].startswith("The worst that is left: CONV_2D of ")
    assert "CONV_2D of first (a few large values set the scale of its output" in lines[1]


def test_as_many_go_back_as_the_budget_allows(patient, tmp_path):
    found = doctor.treat(patient(sick.wild_channel), tmp_path)
    fewer = [one for one in found.trials if len(one.asked) < len(found.ship.asked)]
    assert fewer
    assert all(one.drop_pp > 1.0 for one in fewer)


def test_the_places_in_float_are_those_of_the_file(patient, tmp_path):
    ill = patient(sick.wild_weights)
    found = doctor.treat(ill, tmp_path)
    facts = consultation(ill, found, str, tmp_path)
    path = tmp_path / "shipped.tflite"
    path.write_bytes(found.ship.blob)
    told = forms(load(path)[1])
    assert facts["float_operations"] == [n for n, form in enumerate(told) if form == "float32"]
    assert len(facts["float_operations"]) == 1
    assert facts["trials"][facts["shipped"]]["bytes"] == len(found.ship.blob)


def test_histograms_count_every_value_of_every_picture(patient, tmp_path):
    ill = patient(sick.wild_weights)
    facts = consultation(ill, doctor.treat(ill, tmp_path), str, tmp_path)
    shapes = {0: 8 * 8 * 12, 1: 3 * 3 * 16, 2: 24}
    seen = [one for one in facts["spreads"] if one["number"] in shapes]
    assert len(seen) >= 2
    for one in seen:
        wanted = 48 * shapes[one["number"]]
        assert sum(one["float32"]) == sum(one["stored"]) == wanted


def test_a_file_against_itself_has_no_noise(patient, digit_images):
    original = patient(lambda model: None).original
    rows = signals(original, original, digit_images[:4])
    assert [one.snr_db for one in rows] == [CLEAN_DB] * len(rows)
    assert {one.form for one in twins(original, original)} == {"float32"}


def test_signal_to_noise_is_a_mean_over_channels(patient, digit_images, tmp_path):
    """A channel that drowns all others in one sum must not hide that they are ruined."""
    ill = patient(sick.wild_channel)
    path = tmp_path / "plain.tflite"
    path.write_bytes(ill.make(()))
    first = signals(ill.original, path, digit_images[:32])[0]
    assert first.snr_db < 10
    assert first.rounding_db == pytest.approx(first.snr_db, abs=0.5)
