"""Pictures: sources, splits, batches, augmentation. The tables here cost nothing to read."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.data.sources import Source
from pipeline.lazy import LazyTable
from pipeline.settings import Ingest

DATASETS = LazyTable(
    "dataset",
    {
        "digits": "pipeline.data.sources.digits:Digits",
        "idx": "pipeline.data.sources.idx:Idx",
        "folder": "pipeline.data.sources.folder:Folder",
        "table": "pipeline.data.sources.table:Table",
        "arrays": "pipeline.data.sources.arrays:Arrays",
        "tfds": "pipeline.data.sources.tfds:Tfds",
    },
)

AUGMENTATIONS = LazyTable(
    "augmentation",
    {
        "flip": "keras.layers:RandomFlip",
        "translate": "keras.layers:RandomTranslation",
        "rotate": "keras.layers:RandomRotation",
        "zoom": "keras.layers:RandomZoom",
        "shear": "keras.layers:RandomShear",
        "brightness": "keras.layers:RandomBrightness",
        "contrast": "keras.layers:RandomContrast",
        "saturation": "keras.layers:RandomSaturation",
        "hue": "keras.layers:RandomHue",
        "erase": "keras.layers:RandomErasing",
        "noise": "pipeline.data.noise:RandomNoise",
    },
)

POLICIES = {
    "none": (),
    "light": (
        {"translate": {"height_factor": 0.08, "width_factor": 0.08}},
        {"rotate": {"factor": 0.03}},
    ),
    "strong": (
        {"translate": {"height_factor": 0.12, "width_factor": 0.12}},
        {"rotate": {"factor": 0.05}},
        {"zoom": {"height_factor": 0.15}},
        {"contrast": {"factor": 0.2}},
    ),
}


def source(settings: Ingest) -> Source:
    """Make the source that `ingest.dataset` names; what follows a colon is the source's affair."""
    made: Source = DATASETS[settings.dataset.partition(":")[0]](settings)
    return made


def files(settings: Ingest) -> Iterator[tuple[str, Path]]:
    """Name the files outside the project that ingest would read: their bytes enter its key."""
    return source(settings).files()
