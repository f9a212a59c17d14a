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
        "digit_pages": "pipeline.data.sources.digit_pages:DigitPages",
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
        "flip": "pipeline.data.operations.framing:Flip",
        "crop": "pipeline.data.operations.framing:Crop",
        "translate": "keras.layers:RandomTranslation",
        "rotate": "keras.layers:RandomRotation",
        "zoom": "keras.layers:RandomZoom",
        "shear": "keras.layers:RandomShear",
        "brightness": "keras.layers:RandomBrightness",
        "contrast": "keras.layers:RandomContrast",
        "saturation": "keras.layers:RandomSaturation",
        "hue": "keras.layers:RandomHue",
        "color_jitter": "pipeline.data.operations.colours:ColorJitter",
        "grayscale": "pipeline.data.operations.colours:Grayscale",
        "sharpness": "pipeline.data.operations.colours:Sharpness",
        "solarize": "pipeline.data.operations.colours:Solarize",
        "posterize": "pipeline.data.operations.colours:Posterize",
        "equalize": "pipeline.data.operations.colours:Equalize",
        "erase": "keras.layers:RandomErasing",
        "noise": "pipeline.data.noise:RandomNoise",
        "rand_augment": "pipeline.data.operations.rand_augment:RandAugment",
        "mixup": "pipeline.data.operations.mixing:MixUp",
        "cutmix": "pipeline.data.operations.mixing:CutMix",
    },
)

# By name. None mirrors but `photo`: digits, signs and letters have a right and a left.
POLICIES = {
    "none": (),
    "light": (
        {"translate": {"height_factor": 0.08, "width_factor": 0.08}},
        {"rotate": {"factor": 0.03}},
    ),
    "medium": (
        {"translate": {"height_factor": 0.1, "width_factor": 0.1}},
        {"rotate": {"factor": 0.04}},
        {"zoom": {"height_factor": 0.1}},
    ),
    "strong": (
        {"translate": {"height_factor": 0.12, "width_factor": 0.12}},
        {"rotate": {"factor": 0.05}},
        {"zoom": {"height_factor": 0.15}},
        {"contrast": {"factor": 0.2}},
    ),
    "photo": (
        {"flip": {"mode": "horizontal", "alternate": True}},
        {"translate": {"height_factor": 0.08, "width_factor": 0.08}},
        {"zoom": {"height_factor": 0.1}},
        {"color_jitter": {"brightness": 0.2, "contrast": 0.2}},
    ),
    "rand_augment": ({"rand_augment": {"operations": 2, "magnitude": 0.3}},),
    "mix": (
        {"translate": {"height_factor": 0.08, "width_factor": 0.08}},
        {"mixup": {"alpha": 0.2, "probability": 0.5}},
        {"cutmix": {"alpha": 1.0, "probability": 0.5}},
    ),
}


def source(settings: Ingest) -> Source:
    """Make the source that `ingest.dataset` names; what follows a colon is the source's affair."""
    made: Source = DATASETS[settings.dataset.partition(":")[0]](settings)
    return made


def files(settings: Ingest) -> Iterator[tuple[str, Path]]:
    """Name the files outside the project that ingest would read: their bytes enter its key."""
    return source(settings).files()
