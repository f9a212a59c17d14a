"""Weights from files: what is in an HDF5 file is looked at before Keras reads it."""

from pathlib import Path
from typing import IO, Any

import h5py
import keras

from pipeline.errors import ConfigError, IntegrityError

MODEL = (
    "model_config",
    "model_weights",
)  # attribute and group that a whole model has, never weights


def check_weights_file(stream: IO[bytes] | Path, size: int, where: str) -> None:
    """Refuse an HDF5 file that is not just numbers within its own `size` in bytes.

    Links, to elsewhere in it or into other files, data kept elsewhere, and arrays that unpack to
    more than the file are nothing that Keras writes.

    Raises:
        IntegrityError: beginning with `where`.
    """
    try:
        with h5py.File(stream, "r") as file:
            if MODEL[0] in file.attrs or MODEL[1] in file:
                raise IntegrityError(
                    f"{where} is a whole model as .h5, which can hold code: load it where you "
                    "trust it and save its weights with model.save_weights()"
                )
            total = sum(_bytes(file, where))
    except IntegrityError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:  # as h5py has it
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{where} is damaged or cut off: {reason}") from error
    if total > size:
        raise IntegrityError(f"{where} says it holds {total} bytes of numbers in a file of {size}")


def _bytes(group: Any, where: str) -> Any:
    """Yield the bytes of each array in a group and those below it."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise IntegrityError(f"{where} has a link at {name!r}, where Keras writes none")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _bytes(item, where)
        elif not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
            raise IntegrityError(f"{where} has something other than numbers at {name!r}")
        elif item.external or item.is_virtual:
            raise IntegrityError(f"{where} keeps the numbers of {name!r} in another file")
        else:
            yield item.nbytes


def load_weights(model: keras.Model, path: Path, network: str) -> None:
    """Load a file of weights, all of them, into the very network it was saved from.

    Read are `.weights.h5` of Keras 3 and the older `.h5` that keras.applications downloads.

    Raises:
        ConfigError: it is of another network, width, or of one with its top.
        IntegrityError: it is damaged, a whole model, or holds other than numbers.
    """
    where = f"build.weights: {path}"
    check_weights_file(path, path.stat().st_size, where)
    try:
        with h5py.File(path, "r") as file:
            older = "layer_names" in file.attrs
        if older and path.name.endswith(".weights.h5"):
            raise ConfigError(f"{where} is in Keras' older form: rename it to end in plain .h5")
        if not older and not path.name.endswith(".weights.h5"):
            raise ConfigError(f"{where} is in Keras' newer form: rename it to end in .weights.h5")
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{where} does not fit {network}: its weights without the top (include_top=False) and "
            f"at the same alpha are wanted ({reason})"
        ) from error
