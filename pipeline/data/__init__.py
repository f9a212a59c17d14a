"""Pictures: sources, splits, batches, augmentation. The tables here cost nothing to read."""

from pathlib import Path

from pipeline.lazy import LazyTable
from pipeline.settings import Ingest

DATASETS = LazyTable(
    "dataset",
    {
        "digits": "pipeline.data.sources.digits:Digits",
        "idx": "pipeline.data.sources.idx:Idx",
        "arrays": "pipeline.data.sources.arrays:Arrays",
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


def files(settings: Ingest) -> list[Path]:
    """List the files outside the project that ingest would read: their bytes enter its key."""
    found: list[Path] = DATASETS[settings.dataset](settings).files()
    return found
