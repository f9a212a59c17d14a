"""Magnitude pruning: tfmot's, on the tf_keras twin of a Keras 3 model, and back with every zero."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import keras
import numpy as np
import tf_keras

from pipeline.compress.kernels import allotted, kernel, leaves, prunable, spared
from pipeline.compress.legacy.blocks import prune_blocks
from pipeline.compress.legacy.door import tfmot
from pipeline.compress.legacy.graph import mirror_for
from pipeline.compress.legacy.masked import masked_gradients
from pipeline.compress.legacy.weights import check_parity, copy_weights
from pipeline.compress.legacy.wrapping import wrap_layers
from pipeline.compress.patterns import UNSTRUCTURED, Pattern
from pipeline.compress.schedule import Ramp
from pipeline.errors import ConfigError, ConversionError

__all__ = ["Fit", "LayerSparsity", "Pruned", "prune", "require_prunable", "spared"]


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

    `name` is the layer's, inside a nested model `backbone/conv1`; `asked` the sparsity it was to
    come to, 0..1.
    """

    name: str
    weights: int
    zeros: int
    asked: float

    @property
    def sparsity(self) -> float:
        """The share of zeros, 0..1."""
        return self.zeros / self.weights


@dataclass(frozen=True)
class Pruned:
    """A new Keras 3 model (not compiled) and its zeros, layer by layer."""

    model: keras.Model
    layers: tuple[LayerSparsity, ...]

    @property
    def sparsity(self) -> float:
        """The share of zeros in all pruned kernels together, 0..1."""
        weights = sum(layer.weights for layer in self.layers)
        return sum(layer.zeros for layer in self.layers) / weights


def prune(
    model: keras.Model,
    fit: Fit,
    ramp: Ramp,
    images: Any,
    sparsities: Mapping[str, float] | None = None,
    pattern: Pattern = UNSTRUCTURED,
    before: Mapping[str, float] | None = None,
) -> Pruned:
    """Return `model` fine-tuned by `fit` with a share of each kernel's weights zero.

    `sparsities` maps names as `prunable` gives them to shares 0..1; those it lacks or maps to 0
    stay dense. Left out, every kernel comes to `ramp.sparsity`: those of Conv2D, Conv2DTranspose
    and Dense and the pointwise kernels of SeparableConv2D, frozen layers included. `before` has the
    sparsities that `model` was pruned to already: the ramp begins there, and those zeros stay.
    `images` (float32, 0..255) are what the twin is compared on before and after. `model` itself is
    not changed. One seed set by `fit` and one order of data give one result, bit for bit.

    Raises:
        ConfigError: a layer has no twin or cannot take the pattern, or nothing is left to prune.
        ConversionError: twin and model differ, or zeros were lost.
    """
    # Else metrics without a name would be `auc`, then `auc_1`: other log keys in a second run.
    tf_keras.backend.clear_session()
    twin = mirror_for("prune", model)
    check_parity(model, twin, images)
    if sparsities is None:
        sparsities = allotted(list(prunable(twin)), ramp.sparsity)
    named = dict(leaves(twin))
    chosen = {name: named[name] for name, share in sparsities.items() if share}
    _check_pattern(chosen, pattern)
    schedules = {
        id(layer): _schedule(ramp, sparsities[name], (before or {}).get(name, 0.0))
        for name, layer in chosen.items()
    }
    wrapped = _wrapped(twin, schedules, pattern)
    if before:
        _hold_zeros(wrapped)
    with masked_gradients(wrapped):
        fit(wrapped, api=tf_keras, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    for name, layer in chosen.items():
        _verify(name, kernel(layer).numpy(), pattern, sparsities[name], ramp)
    pruned = keras.models.clone_model(model)
    copy_weights(stripped, pruned)
    check_parity(pruned, stripped, images)
    measured = (_measure(name, layer, sparsities[name], pattern) for name, layer in chosen.items())
    return Pruned(pruned, tuple(measured))


def require_prunable(
    model: keras.Model, sparsities: Mapping[str, float], pattern: Pattern = UNSTRUCTURED
) -> None:
    """Refuse what `prune` would refuse, of a model that need not be trained yet.

    Raises:
        ConfigError: a layer has no twin or cannot take the pattern.
    """
    named = dict(leaves(mirror_for("prune", model)))
    _check_pattern({name: named[name] for name, share in sparsities.items() if share}, pattern)


def _check_pattern(chosen: Mapping[str, Any], pattern: Pattern) -> None:
    """Refuse a kernel whose axes mean something else than the pattern takes them for."""
    if pattern == UNSTRUCTURED:
        return
    turned = [name for name, layer in chosen.items() if type(layer).__name__ == "Conv2DTranspose"]
    if turned:
        raise ConfigError(
            "prune.pattern: layers of Conv2DTranspose, whose kernels lie the other way round, are "
            f"pruned unstructured only; exclude them: {', '.join(turned)}"
        )


def _schedule(ramp: Ramp, sparsity: float, initial: float) -> Any:
    """The ramp of one layer, from the sparsity it has to the one it is to have."""
    schedules = tfmot.sparsity.keras
    if ramp.kind == "constant":
        return schedules.ConstantSparsity(sparsity, ramp.begin_step, ramp.end_step, ramp.frequency)
    return schedules.PolynomialDecay(
        initial_sparsity=initial or ramp.initial_sparsity,
        final_sparsity=sparsity,
        begin_step=ramp.begin_step,
        end_step=ramp.end_step,
        frequency=ramp.frequency,
    )


def _wrapped(twin: Any, schedules: Mapping[int, Any], pattern: Pattern) -> Any:
    """Put each layer that has a schedule, by its id, into tfmot's wrapper."""
    wrappers: list[Any] = []

    def wrapper(layer: Any) -> Any:
        wrappers.append(
            tfmot.sparsity.keras.prune_low_magnitude(
                layer, schedules[id(layer)], sparsity_m_by_n=pattern.m_by_n
            )
        )
        return wrappers[-1]

    wrapped = wrap_layers(twin, schedules, wrapper)
    if pattern.block != (1, 1):
        for made in wrappers:
            prune_blocks(made, pattern)
    return wrapped


def _hold_zeros(wrapped: Any) -> None:
    """Mask what is zero already: else it would grow again until masks are made."""
    for _, layer in leaves(wrapped):
        for weight, mask, _ in getattr(layer, "pruning_vars", ()):
            mask.assign(np.asarray(weight.numpy() != 0, np.float32))


def _measure(name: str, layer: Any, asked: float, pattern: Pattern) -> LayerSparsity:
    weights = kernel(layer).numpy()
    if pattern.share is not None:  # of groups that are cut, fewer are asked
        asked = 1 - float(pattern.mask(weights, asked).mean())
    return LayerSparsity(name, weights.size, int(np.count_nonzero(weights == 0)), asked)


def _verify(name: str, weights: Any, pattern: Pattern, sparsity: float, ramp: Ramp) -> None:
    """Refuse a result with fewer zeros than asked for, or zeros in other places."""
    if problem := pattern.lacking(weights, sparsity):
        raise ConversionError(
            f"layer '{name}' has {problem}: training must pass step {ramp.full_step}, take the "
            "callbacks given before its own, and keep no epoch from before that step"
        )
