"""pix2pocket: from a set of pictures to a measured model on a phone.

    from pipeline import Config, run
    outcome = run(Config.load("configs/digits.yaml", ["train.epochs=30"]))

Both names load on first use, so that a room below can be imported without the engine above it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import Config as Config
    from pipeline.engine import run as run

__all__ = ["Config", "run"]

# TensorFlow takes oneDNN's kernels by itself only on processors with AVX-512 VNNI or newer; they
# train convolutions faster on older ones too. Said here, as it counts only before TensorFlow loads.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_HOME = {"Config": "pipeline.config", "run": "pipeline.engine"}


def __getattr__(name: str) -> Any:
    """Load `Config` and `run` when they are first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
