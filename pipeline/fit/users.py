"""Callbacks of the user's own, by import path: `my_callbacks:Whisper`. Imports no Keras itself."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.lazy import nearest
from pipeline.settings import Train


def files(settings: Train) -> Iterator[tuple[str, Path]]:
    """Name the files the callbacks come from: their bytes enter the key of `train`."""
    for reference, _ in spelled(settings):
        module = reference.partition(":")[0]
        with _found_here():
            try:
                spec = find_spec(module)
            except (ImportError, ValueError):
                spec = None
        if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
            yield module, Path(spec.origin)


def spelled(settings: Train) -> list[tuple[str, Mapping[str, Any]]]:
    """The callbacks of some settings as pairs of import path and arguments."""
    pairs: list[tuple[str, Mapping[str, Any]]] = []
    for item in settings.callbacks:
        entry = {item: None} if isinstance(item, str) else item
        pairs += [(reference, arguments or {}) for reference, arguments in entry.items()]
    return pairs


def make_callbacks(settings: Train, base: type) -> list[Any]:
    """Make the callbacks, each an object of `base`.

    Modules are looked for where the command is given, and among what is installed.

    Raises:
        ConfigError: naming the callback, and what is wrong with it.
    """
    return [_make(reference, arguments, base) for reference, arguments in spelled(settings)]


def _make(reference: str, arguments: Mapping[str, Any], base: type) -> Any:
    where = f"train.callbacks: {reference}"
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise ConfigError(f"{where}: a callback is given as `module:Class`")
    try:
        with _found_here():
            module = import_module(module_name)
    except Exception as error:  # a module of the user's may raise anything
        reason = " ".join(str(error).split())
        raise ConfigError(f"{where}: {type(error).__name__}: {reason}") from error
    found = getattr(module, name, None)
    if found is None:
        classes = [word for word, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(f"{where}: {module_name} has no {name!r}: {nearest(name, classes)}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{where}: is no keras.callbacks.Callback")
    try:
        return found(**arguments)
    except Exception as error:  # so may its class
        reason = " ".join(str(error).split())
        raise ConfigError(f"{where}: {type(error).__name__}: {reason}") from error


@contextmanager
def _found_here() -> Iterator[None]:
    """Look for modules where the command is given, too."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
