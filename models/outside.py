"""Files of the user's that a network is made from: found, and told by their first bytes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, IntegrityError

HDF5 = b"\x89HDF\r\n\x1a\n"
NO_FILES = {"weights": {"imagenet", "none"}, "path": {""}}
OPTIONS = {"backbone": "weights", "file": "path"}  # the option of a network that names a file


def files(settings: Any) -> Iterator[tuple[str, Path]]:
    """Name the files outside the project that `build` would read: their bytes enter its key.

    `settings` are those of the section `build`, the options of its network among them.
    """
    option = OPTIONS.get(settings.model)
    if option is not None:
        named = (settings.model_extra or {}).get(option, "")
        if named and named not in NO_FILES[option]:
            yield option, place(named)


def place(path: str) -> Path:
    """A path with `~` filled in, where there is such a user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises for an unknown user


def beginning(option: str, path: str) -> bytes:
    """Return the first bytes of the file an option names.

    Raises:
        ConfigError: there is none, or it cannot be read.
        IntegrityError: it is a folder, as a SavedModel is, or a pipe.
    """
    where = place(path)
    try:
        if where.is_dir():
            raise IntegrityError(
                f"build.{option}: {path} is a folder; a SavedModel can run anything, so only files "
                "that Keras saves are taken"
            )
        if where.exists() and not where.is_file():
            raise IntegrityError(f"build.{option}: {path} is no regular file")
        with where.open("rb") as stream:
            return stream.read(len(HDF5))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"build.{option}: {path} cannot be read: {reason}") from error


def require_hdf5(weights: str) -> None:
    """Raise unless `weights` names a file of weights as Keras saves them.

    Raises:
        ConfigError: it ends otherwise than `.h5`, or cannot be read.
        IntegrityError: it is no HDF5 file.
    """
    if not weights.endswith(".h5"):
        raise ConfigError(
            f"build.weights: imagenet, none, or a file of weights that ends in .h5, not "
            f"{weights!r}; for a .keras file, build.model=file build.path={weights}"
        )
    if beginning("weights", weights) != HDF5:
        raise IntegrityError(
            f"build.weights: {weights} is no HDF5 file, or damaged at its beginning: "
            "save it anew with model.save_weights()"
        )
