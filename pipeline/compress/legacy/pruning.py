"""Magnitude pruning: tfmot's, on the tf_keras twin of a Keras 3 model, and back with every zero."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any, Protocol

import keras
import numpy as np
import tf_keras

from pipeline.compress.legacy.door import tfmot
from pipeline.compress.legacy.graph import mirror
from pipeline.compress.legacy.weights import check_parity, copy_weights
from pipeline.compress.schedule import Ramp
from pipeline.errors import ConfigError, ConversionError

# A layer's kernel worth pruning. Depthwise kernels are left dense, as tfmot leaves them: a few
# percent of the weights, a handful per channel, so each zero costs more than it saves. So are
# biases and normalization.
KERNELS: dict[type, str] = {
    tf_keras.layers.Conv2D: "kernel",
    tf_keras.layers.Conv2DTranspose: "kernel",
    tf_keras.layers.Dense: "kernel",
    tf_keras.layers.SeparableConv2D: "pointwise_kernel",
}


class Fit(Protocol):
    """Compiles and trains a pruned tf_keras model in place.

    `api` is the tf_keras module, to be used where Keras 3 would be `keras`. `callbacks` must be
    handed to `model.fit` before the caller's own, so that what those save is masked. Whoever
    keeps the best epoch keeps one at or after `ramp.first_full_epoch(steps_per_epoch)`.
    """

    def __call__(self, model: Any, *, api: ModuleType, callbacks: list[Any]) -> object:
        """Train; what is returned is not looked at."""


@dataclass(frozen=True)
class LayerSparsity:
    """How many weights one pruned kernel has, and how many of them are zero.

    `name` is the layer's; inside a nested model `backbone/conv1`.
    """

    name: str
    weights: int
    zeros: int

    @property
    def sparsity(self) -> float:
        """The share of zeros, 0..1."""
        return self.zeros / self.weights


@dataclass(frozen=True)
class Pruned:
    """A new Keras 3 model (not compiled) and its zeros, layer by layer."""

    model: keras.Model
    layers: tuple[LayerSparsity, ...]


def prune(
    model: keras.Model,
    fit: Fit,
    ramp: Ramp,
    images: Any,
    *,
    exclude: Sequence[str] = (),
    whole: Sequence[str] = (),
    tolerance: float = 1e-5,
) -> Pruned:
    """Return `model` fine-tuned by `fit` with `ramp.sparsity` of each kernel's weights zero.

    Pruned are the kernels of Conv2D, Conv2DTranspose and Dense and the pointwise kernels of
    SeparableConv2D, frozen layers included, but for layers whose name matches a pattern of
    `exclude` (`predictions`, `block_1*`, `backbone/*`), and the `first` or `last` of them; where
    only those two are, `first` is pruned all the same. `images` (float32, 0..255) are what the
    twin is compared on before and after. `model` itself is not changed. One seed set by `fit`
    and one order of data give one result, bit for bit.

    Raises:
        ConfigError: a pattern matches nothing, or nothing is left to prune.
        ConversionError: a layer has no twin, twin and model differ, or zeros were lost.
    """
    # Else metrics without a name would be `auc`, then `auc_1`: other log keys in a second run.
    tf_keras.backend.clear_session()
    twin = mirror(model)
    check_parity(model, twin, images, tolerance)
    chosen = _choose(twin, exclude, whole)
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(
        twin, _schedule(ramp), pruning_policy=_Only(chosen.values())
    )
    fit(wrapped, api=tf_keras, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    layers = tuple(_measure(name, layer) for name, layer in chosen.items())
    _verify(layers, ramp)
    pruned = keras.models.clone_model(model)
    copy_weights(stripped, pruned)
    check_parity(pruned, stripped, images, tolerance)
    return Pruned(pruned, layers)


class _Only:
    """A tfmot `PruningPolicy`: these layers and no others."""

    def __init__(self, layers: Any) -> None:
        self._ids = {id(layer) for layer in layers}

    def allow_pruning(self, layer: Any) -> bool:
        """Whether tfmot is to wrap this layer."""
        return id(layer) in self._ids

    def ensure_model_supports_pruning(self, model: Any) -> None:
        """Each layer was chosen by its class, so every one is supported."""


def _schedule(ramp: Ramp) -> Any:
    schedules = tfmot.sparsity.keras
    if ramp.kind == "constant":
        return schedules.ConstantSparsity(
            ramp.sparsity, ramp.begin_step, ramp.end_step, ramp.frequency
        )
    return schedules.PolynomialDecay(
        initial_sparsity=ramp.initial_sparsity,
        final_sparsity=ramp.sparsity,
        begin_step=ramp.begin_step,
        end_step=ramp.end_step,
        frequency=ramp.frequency,
    )


def _choose(twin: Any, exclude: Sequence[str], whole: Sequence[str]) -> dict[str, Any]:
    """Return the layers to prune by their names; each once, wherever it is shared."""
    worth: dict[str, Any] = {}
    for name, layer in _leaves(twin):
        if type(layer) in KERNELS and name not in whole and layer not in worth.values():
            worth[name] = layer
    left = spared(list(worth), exclude)
    chosen = {name: layer for name, layer in worth.items() if name not in left}
    if not chosen:
        raise ConfigError(
            f"nothing to prune in model '{twin.name}': no layer with a kernel is left"
        )
    return chosen


def spared(names: Sequence[str], exclude: Sequence[str]) -> set[str]:
    """Return those of `names`, of layers with a kernel in their order, that `exclude` leaves dense.

    A word is a pattern of names, or else `first` or `last`. Where nothing lies between those two,
    only the last is spared.

    Raises:
        ConfigError: a word means none of them.
    """
    ends = {"first": names[:1], "last": names[-1:]}
    found: set[str] = set()
    for word in sorted(exclude, key=lambda word: word == "first"):
        matching = {name for name in names if fnmatchcase(name, word)}
        meant = matching or {*ends.get(word, ())}
        if not meant:
            raise ConfigError(
                f"exclude pattern {word!r} matches no layer that would be pruned: "
                + (", ".join(names) or "there is none")
            )
        if matching or word == "last" or found | meant != {*names}:
            found |= meant
    return found


def _leaves(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        if isinstance(layer, tf_keras.Model):
            yield from _leaves(layer, f"{prefix}{layer.name}/")
        else:
            yield prefix + layer.name, layer


def _measure(name: str, layer: Any) -> LayerSparsity:
    kernel = getattr(layer, KERNELS[type(layer)]).numpy()
    return LayerSparsity(name, kernel.size, int(np.count_nonzero(kernel == 0)))


def _verify(layers: Sequence[LayerSparsity], ramp: Ramp) -> None:
    """Refuse a result with fewer zeros than asked for."""
    for layer in layers:
        # tfmot keeps round((1 - sparsity) n) weights of n in float32, and at least one.
        kept = np.rint(np.float32(layer.weights) * (np.float32(1) - np.float32(ramp.sparsity)))
        wanted = layer.weights - max(int(kept), 1)
        if layer.zeros < wanted:
            raise ConversionError(
                f"layer '{layer.name}' has {layer.zeros} zeros of {layer.weights} weights, "
                f"{wanted} were due: training must pass step {ramp.full_step}, take the callbacks "
                "given before its own, and keep no epoch from before that step"
            )
