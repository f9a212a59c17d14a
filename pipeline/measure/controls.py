"""Controls: which file was trained from fresh weights, so that another can be held against it."""

from collections.abc import Iterable

SCRATCH = "scratch"  # the word of a variant's path, with or without a preset


def controls(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By variant, those of the same path but for `scratch` in it: its controls; only such as have.

    `slim+int8` has `slim+scratch+int8`, and `slim+scratch.long+int8` as well.
    """
    listed = list(names)
    found: dict[str, tuple[str, ...]] = {}
    for name in listed:
        words = name.split("+")
        plain = "+".join(word for word in words if word.partition(".")[0] != SCRATCH)
        if plain != name and plain in listed:
            found[plain] = (*found.get(plain, ()), name)
    return found
