"""Plain attributes of callbacks, as arrays and JSON and back: what an exact resume restores.

Numbers, texts, truth values, None, NumPy arrays, and lists, tuples and string-keyed dicts of these
are plain. Anything else (models, files, bars) is left to the callback to make again.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Store = dict[str, NDArray[Any]]

OWNED = frozenset({"model", "_model", "params"})  # Keras sets them
NOT_PLAIN = object()


def plain_attributes(thing: Any, prefix: str, arrays: Store) -> dict[str, Any]:
    """Return the plain attributes of an object as JSON can hold them.

    Arrays among them go into `arrays`, under names that begin with `prefix`.
    """
    found = {}
    for name, value in vars(thing).items():
        if name not in OWNED:
            spelled = _spelled(value, f"{prefix}/{name}", arrays)
            if spelled is not NOT_PLAIN:
                found[name] = spelled
    return found


def set_attributes(thing: Any, spelled: dict[str, Any], arrays: Store) -> None:
    """Set what `plain_attributes` returned, on an object of the same class."""
    for name, value in spelled.items():
        setattr(thing, name, _meant(value, arrays))


def _spelled(value: Any, place: str, arrays: Store) -> Any:
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
        arrays[place] = np.asarray(value)
        return {"array": place, "scalar": isinstance(value, np.generic)}
    if type(value) in {list, tuple}:
        items = [_spelled(item, f"{place}/{number}", arrays) for number, item in enumerate(value)]
        return NOT_PLAIN if NOT_PLAIN in items else {type(value).__name__: items}
    if type(value) is dict and all(isinstance(key, str) for key in value):
        pairs = {key: _spelled(item, f"{place}/{key}", arrays) for key, item in value.items()}
        return NOT_PLAIN if NOT_PLAIN in pairs.values() else {"dict": pairs}
    return NOT_PLAIN


def _meant(value: Any, arrays: Store) -> Any:
    match value:
        case {"array": str(place), "scalar": scalar}:
            return arrays[place][()] if scalar else arrays[place]
        case {"list": list(items)}:
            return [_meant(item, arrays) for item in items]
        case {"tuple": list(items)}:
            return tuple(_meant(item, arrays) for item in items)
        case {"dict": dict(pairs)}:
            return {key: _meant(item, arrays) for key, item in pairs.items()}
    return value
