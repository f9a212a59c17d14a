"""What the quantization doctor found, as plain values: for `doctor.json`, and so for the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.measure.doctor import Patient, Treatment, Trial, causes
from pipeline.measure.flatbuffer import load
from pipeline.measure.forms import forms
from pipeline.measure.histograms import histograms

FILE = "doctor.json"  # what a step leaves of it
SPREADS = 6  # operations whose values are shown
Layer = Callable[[str], str]  # from the name of a tensor to that of its layer


def consultation(
    patient: Patient, treatment: Treatment, layer: Layer, folder: Path
) -> dict[str, Any]:
    """All that the report shows of a treatment; as `pipeline.show.doctor.Doctor`, but its name.

    `folder` is where files may be written that are looked into.
    """
    alone = {one.signal.name: one.alone_db for one in treatment.suspects}
    why = causes(treatment.suspects)
    after = {one.name: one for one in treatment.after}
    return {
        "accuracy": patient.accuracy,
        "max_drop_pp": patient.max_drop_pp,
        "max_float_share": patient.max_float_share,
        "kept": treatment.kept,
        "pictures": len(patient.sample),
        "trials": [_trial(one) for one in treatment.trials],
        "shipped": treatment.trials.index(treatment.ship),
        "float_operations": _in_float(treatment.ship, folder),
        "operations": [
            {
                "number": one.number,
                "code": one.code,
                "layer": layer(one.name),
                "form": after[one.name].form,
                "macs": one.macs,
                "before_db": one.snr_db,
                "after_db": after[one.name].snr_db,
                "alone_db": alone.get(one.name),
                "weights_lost": one.weights_lost,
                "rounding_db": one.rounding_db,
                "cause": why.get(one.name),
            }
            for one in treatment.before
            if one.name in after
        ],
        "spreads": _spreads(patient, treatment, folder),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "in_float": len(trial.in_float),
        "float_share": trial.float_share,
        "accuracy": trial.accuracy,
        "drop_pp": trial.drop_pp,
        "bytes": len(trial.blob),
    }


def _in_float(trial: Trial, folder: Path) -> list[int]:
    """Places of the operations of the file itself that compute in float32."""
    path = folder / "shipped.tflite"
    path.write_bytes(trial.blob)
    found = forms(load(path)[1])
    return [number for number, form in enumerate(found) if form == "float32"]


def _spreads(patient: Patient, treatment: Treatment, folder: Path) -> list[dict[str, Any]]:
    """How values of the worst operations are spread, in float32 and as the plain int8 file has it.

    The worst are those heard the most alone or, where all is well, of the noisiest outputs.
    """
    ranked = [one.signal for one in treatment.suspects] or sorted(
        treatment.before, key=lambda one: one.snr_db
    )
    shown = sorted(ranked[:SPREADS], key=lambda one: one.number)
    path = folder / "plain.tflite"
    path.write_bytes(treatment.trials[0].blob)
    found = histograms(patient.original, path, [one.name for one in shown], patient.sample)
    return [{"number": one.number, **found[one.name].facts()} for one in shown]
