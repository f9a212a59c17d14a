"""pix2pocket: from a set of pictures to a measured model on a phone.

    from pipeline import Config, run
    outcome = run(Config.load("configs/digits.yaml", ["train.epochs=30"]))

Both names load on first use, so that a room below can be imported without the engine above it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import Config as Config
    from pipeline.engine import run as run

__all__ = ["Config", "run"]

_HOME = {"Config": "pipeline.config", "run": "pipeline.engine"}


def __getattr__(name: str) -> Any:
    """Load `Config` and `run` when they are first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
