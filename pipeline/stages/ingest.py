"""Ingest: read a source once, split it, and leave it as memory-mapped arrays."""

from pathlib import Path

from pipeline.data import DATASETS, files
from pipeline.data.dataset import write
from pipeline.data.splits import split
from pipeline.settings import Ingest, Inputs, Metrics


def check(settings: Ingest) -> None:
    """Refuse a source that is not there."""
    files(settings)


def run(settings: Ingest, inputs: Inputs, out: Path) -> Metrics:
    """Write `{train,validation,test}_{images,labels}.npy` and `dataset.json`."""
    pictures = DATASETS[settings.dataset](settings).load()
    splits = split(pictures, settings)
    write(out, pictures.name, pictures.classes, splits)
    return {name: len(labels) for name, (_, labels) in splits.items()}
