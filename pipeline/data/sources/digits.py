"""Handwritten digits: 1,797 real 8x8 scans that come with scikit-learn."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pipeline.data.sources import Pictures
from pipeline.errors import ConfigError
from pipeline.settings import Ingest


class Digits:
    """The UCI "Optical recognition of handwritten digits" test set, scaled from 0..16 to 0..255.

    Source: Alpaydin and Kaynak, 1998, doi:10.24432/C50P49.
    """

    def __init__(self, settings: Ingest) -> None:
        if settings.path is not None:
            raise ConfigError("ingest.path: the digits are inside scikit-learn; leave path out")

    def files(self) -> list[Path]:
        """List the one file scikit-learn reads, found without importing it."""
        spec = find_spec("sklearn")
        if spec is None or spec.origin is None:
            raise ConfigError("ingest.dataset: digits needs scikit-learn")
        return [Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"]

    def load(self) -> Pictures:
        """Read all digits as one part."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
        classes = [str(name) for name in bunch.target_names]
        return Pictures("digits", classes, {"all": (images, bunch.target.astype(np.int64))})
