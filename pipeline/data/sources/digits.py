"""Handwritten digits: 1,797 real 8x8 scans that come with scikit-learn."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pipeline.data.sources import Catalog, Found
from pipeline.errors import ConfigError
from pipeline.settings import Ingest


class Digits:
    """The UCI "Optical recognition of handwritten digits" test set, scaled from 0..16 to 0..255.

    Source: Alpaydin and Kaynak, 1998, doi:10.24432/C50P49.
    """

    def __init__(self, settings: Ingest) -> None:
        if settings.path is not None:
            raise ConfigError("ingest.path: the digits are inside scikit-learn; leave path out")
        if settings.classes is not None:
            raise ConfigError("ingest.classes: the digits are named already; leave classes out")

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name the one file scikit-learn reads, found without importing it."""
        spec = find_spec("sklearn")
        if spec is None or spec.origin is None:
            raise ConfigError("ingest.dataset: digits needs scikit-learn")
        path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
        yield path.name, path

    def catalog(self) -> Catalog:
        """List all digits."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
        labels = bunch.target.tolist()
        pairs = enumerate(zip(images, labels, strict=True))
        pictures = (Found(f"digit {row}", label, image) for row, (image, label) in pairs)
        return Catalog(
            "digits", [str(name) for name in bunch.target_names], pictures, len(labels), pixels=True
        )
