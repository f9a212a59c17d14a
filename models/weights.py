"""Weights from files: what is in an HDF5 file is looked at before Keras reads it."""

import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py
import keras

from pipeline.errors import ConfigError, IntegrityError

MODEL = ("model_config", "model_weights")  # attribute and group of a whole model, never of weights
NO_WEIGHT = re.compile(r"^/optimizer/|/seed_generator/")
DEEPEST = 100


def check_weights_file(stream: IO[bytes] | Path, size: int, where: str) -> int:
    """Return how many weights an HDF5 file holds, if it is just numbers within its own `size`.

    Links, to elsewhere in it or into other files, two names for one thing, data kept elsewhere, and
    arrays that unpack to more bytes than the file has are nothing that Keras writes. The states of
    random generators and optimizers are no weights.

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
            arrays = dict(_arrays(file, "", where, set()))
            total = sum(array.nbytes for array in arrays.values())
            weights = (array.size for name, array in arrays.items() if not NO_WEIGHT.search(name))
            if total > size:
                raise IntegrityError(f"{where} has {total} bytes of numbers in a file of {size}")
            return sum(weights)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:  # as h5py has it
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{where} is damaged or cut off: {reason}") from error


def _arrays(group: Any, path: str, where: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield each array in a group and those below it, with its path; what is met goes to `seen`."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise IntegrityError(f"{where} has a link at {name!r}, where Keras writes none")
        item, below = group[name], f"{path}/{name}"
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:  # groups that hold one another could be walked for ever
            raise IntegrityError(f"{where} has two names for one thing at {name!r}")
        seen.add(address)
        if below.count("/") > DEEPEST:
            raise IntegrityError(f"{where} has groups in groups without end")
        if isinstance(item, h5py.Group):
            yield from _arrays(item, below, where, seen)
        elif not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
            raise IntegrityError(f"{where} has something other than numbers at {name!r}")
        elif item.external or item.is_virtual:
            raise IntegrityError(f"{where} keeps the numbers of {name!r} in another file")
        else:
            yield below, item


def load_weights(model: keras.Model, path: Path, network: str) -> None:
    """Load a file of weights, all of them, into the very network it was saved from.

    Read are `.weights.h5` of Keras 3 and the older `.h5` that keras.applications downloads. Keras
    leaves out of the newer form what the file lacks, with a warning: here it is an error.

    Raises:
        ConfigError: it is of another network, width, or of one with its top.
        IntegrityError: it is damaged, a whole model, or holds other than numbers.
    """
    where = f"build.weights: {path}"
    held = check_weights_file(path, path.stat().st_size, where)
    with h5py.File(path, "r") as file:
        older = "layer_names" in file.attrs
    if older == path.name.endswith(".weights.h5"):
        ending = "plain .h5" if older else ".weights.h5"
        raise ConfigError(f"{where} is in the other form of Keras: rename it to end in {ending}")
    wanted = sum(math.prod(weight.shape) for weight in model.weights)
    reason = f"it holds {held:,} numbers, not {wanted:,}"
    try:
        if held == wanted:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                model.load_weights(path)
            return
    except (ValueError, KeyError, OSError, UserWarning) as error:
        reason = " ".join(str(error).split())[:200]
    raise ConfigError(
        f"{where} does not fit {network}: wanted are its weights without the top "
        f"(include_top=False), at that alpha ({reason})"
    )
