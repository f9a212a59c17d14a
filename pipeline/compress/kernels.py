"""Which layers have a kernel worth pruning, and what sparsity each is to come to."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pipeline.errors import ConfigError

# By the class of a layer, of Keras 3 or of tf_keras. Depthwise kernels are left dense, as tfmot
# leaves them: a few percent of the weights, a handful per channel, so each zero costs more than it
# saves. So are biases and normalization.
KERNELS: Mapping[str, str] = {
    "Conv2D": "kernel",
    "Conv2DTranspose": "kernel",
    "Dense": "kernel",
    "SeparableConv2D": "pointwise_kernel",
}


def prunable(model: Any, whole: Sequence[str] = ()) -> dict[str, Any]:
    """Return the layers with a kernel by name, in their order; each once, wherever it is shared.

    Inside a nested model a layer is called `backbone/conv1`. Layers named in `whole` are none.
    """
    found: dict[str, Any] = {}
    for name, layer in leaves(model):
        known = any(layer is other for other in found.values())
        if type(layer).__name__ in KERNELS and name not in whole and not known:
            found[name] = layer
    return found


def kernel(layer: Any) -> Any:
    """The variable that is pruned of a layer."""
    return getattr(layer, KERNELS[type(layer).__name__])


def leaves(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every layer with its name, those of nested models too; of either Keras."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer, f"{prefix}{layer.name}/")
        else:
            yield prefix + layer.name, layer


def allotted(
    names: Sequence[str],
    sparsity: float,
    layers: Mapping[str, float] | None = None,
    exclude: Sequence[str] = (),
) -> dict[str, float]:
    """Give each of `names`, of layers with a kernel in their order, its sparsity, 0..1; 0 is dense.

    It is `sparsity` where `said` says no other.

    Raises:
        ConfigError: a word means no layer, or every layer comes out dense.
    """
    found = dict.fromkeys(names, sparsity) | said(names, layers or {}, exclude)
    if not any(found.values()):
        raise ConfigError(
            "nothing to prune: "
            + ("every layer with a kernel is to stay dense" if names else "no layer has a kernel")
        )
    return found


def said(
    names: Sequence[str], layers: Mapping[str, float], exclude: Sequence[str]
) -> dict[str, float]:
    """Return the sparsities, 0..1, of those of `names` of which settings speak by name or place.

    `layers` maps words to sparsities, and of several that mean a layer the last counts; what
    `exclude` means is dense in any case. A word is a pattern of names, or else `first` or `last`.

    Raises:
        ConfigError: a word means no layer.
    """
    found: dict[str, float] = {}
    for word, sparsity in layers.items():
        found |= dict.fromkeys(_meant(names, word, "layers")[0], sparsity)
    return found | dict.fromkeys(spared(names, exclude), 0.0)


def spared(names: Sequence[str], exclude: Sequence[str]) -> set[str]:
    """Return those of `names`, of layers with a kernel in their order, that `exclude` leaves.

    A word is a pattern of names, or else `first` or `last`. Where nothing lies between those two,
    only the last is spared.

    Raises:
        ConfigError: a word means none of them.
    """
    found: set[str] = set()
    for word in sorted(exclude, key=lambda word: word == "first"):
        meant, by_name = _meant(names, word, "exclude")
        if by_name or word == "last" or found | meant != {*names}:
            found |= meant
    return found


def _meant(names: Sequence[str], word: str, setting: str) -> tuple[set[str], bool]:
    """The layers a word of a setting means, and whether by their names or by their place."""
    ends = {"first": names[:1], "last": names[-1:]}
    matching = {name for name in names if fnmatchcase(name, word)}
    meant = matching or {*ends.get(word, ())}
    if not meant:
        raise ConfigError(
            f"{setting} pattern {word!r} matches no layer with a kernel: "
            + (", ".join(names) or "there is none")
        )
    return meant, bool(matching)
