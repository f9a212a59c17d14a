"""Scratch: the network that the path has reached, with fresh weights; `train` is the next step."""

from pathlib import Path

from pipeline.compress.fresh import fresh
from pipeline.fit.files import load_model, save_model
from pipeline.settings import Inputs, Metrics, Scratch


def run(settings: Scratch, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, which has learned nothing; the seed decides its weights."""
    model = fresh(load_model(inputs["candidate"] / "model.keras"))
    save_model(model, out / "model.keras")
    return {"params": model.count_params()}
