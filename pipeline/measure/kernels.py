"""Find each kernel of a model in its .tflite file, and whether its zeros and clusters are there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConversionError
from pipeline.measure.flatbuffer import constants

FILE = "kernels.json"  # what a step leaves of its file's kernels
ALIKE = 0.8  # mean cosine from which a constant is a kernel: strangers have about 0.3 at 3 x 3
CLUSTERED = 256  # a kernel of at most so many values, four weights each, was clustered


@dataclass(frozen=True)
class StoredKernel:
    """One kernel of the model and what became of it in the file.

    `name` is the layer's, inside nested models `backbone/conv1`. `zeros` are exact zeros in the
    model, `values` its different weights; `stored_zeros` are those of the file's constant, and
    `clusters` its different weights: the most in one output channel, for a folded batch
    normalization gives each channel a factor of its own.
    """

    name: str
    weights: int
    values: int
    zeros: int
    stored_zeros: int
    clusters: int

    @property
    def clustered(self) -> bool:
        """Whether the model's kernel has so few values that someone made it so."""
        return self.values <= CLUSTERED and 4 * self.values <= self.weights


def stored_kernels(
    kernels: Mapping[str, NDArray[np.floating]], path: Path
) -> tuple[StoredKernel, ...]:
    """Match the kernels of a model, by name and in Keras layouts, to the constants of its file.

    Names in a file tell little, so a constant is told by its shape and by its values, channel by
    channel: a folded normalization multiplies each output channel, and rounding to int8 moves all
    a little. A kernel without zeros and clusters that is not found, since it was merged with
    another, is left out.

    Raises:
        ConversionError: zeros or clusters of the model are not in the file; names the layer.
        IntegrityError: `path` is no .tflite file.
    """
    found = _match(kernels, list(constants(path)))
    rows = []
    for name, kernel in kernels.items():
        row = _row(name, kernel, found[name])
        if found[name]:
            rows.append(row)
        elif row.zeros or row.clustered:
            raise ConversionError(
                f"layer '{name}' has zeros or clusters and is not found in the file: the converter "
                "merged it with another; leave it out by `exclude`"
            )
    return tuple(rows)


def write_kernels(
    kernels: Mapping[str, NDArray[np.floating]], path: Path, out: Path
) -> tuple[StoredKernel, ...]:
    """Measure as `stored_kernels` does, and write `kernels.json` into the folder `out`."""
    rows = stored_kernels(kernels, path)
    text = json.dumps([asdict(row) for row in rows], indent=1)
    (out / FILE).write_text(text, encoding="utf-8")
    return rows


def sparsity(rows: tuple[StoredKernel, ...]) -> float | None:
    """The share of zeros in the stored kernels that had any in the model; None without such."""
    sparse = [row for row in rows if row.zeros]
    weights = sum(row.weights for row in sparse)
    return sum(row.stored_zeros for row in sparse) / weights if sparse else None


@dataclass(frozen=True)
class _Pair:
    """A kernel beside a constant, both as `(output channels, rest)`, and how alike they are."""

    name: str
    constant: int
    kernel: NDArray[np.generic]
    stored: NDArray[np.generic]
    likeness: float


def _match(
    kernels: Mapping[str, NDArray[np.floating]], stored: list[NDArray[np.generic]]
) -> dict[str, list[_Pair]]:
    """Give each kernel its constants, the most alike first and one to one.

    What is left over then joins what it is like: equal kernels may share one constant, and a layer
    that is called twice may have two.
    """
    pairs = [pair for name in kernels for pair in _pairs(name, kernels[name], stored)]
    # Rounded, so that those no values can tell apart go by their order in model and file.
    pairs.sort(key=lambda pair: -round(pair.likeness, 3))
    found: dict[str, list[_Pair]] = {name: [] for name in kernels}
    taken: set[int] = set()
    for alone in (True, False):
        for pair in pairs:
            free = pair.constant not in taken
            if (free and not found[pair.name]) if alone else (free or not found[pair.name]):
                found[pair.name].append(pair)
                taken.add(pair.constant)
    return found


def _pairs(
    name: str, kernel: NDArray[np.floating], stored: list[NDArray[np.generic]]
) -> Iterator[_Pair]:
    """A kernel beside every constant that it may have become."""
    for number, constant in enumerate(stored):
        best: _Pair | None = None
        for layout, channel in _layouts(kernel):
            if layout.shape == constant.shape:
                own, other = (_by_channel(array, channel) for array in (layout, constant))
                pair = _Pair(name, number, own, other, _likeness(own, other))
                if best is None or pair.likeness > best.likeness:
                    best = pair
        if best is not None and best.likeness >= ALIKE:
            yield best


def _layouts(kernel: NDArray[np.floating]) -> Iterator[tuple[NDArray[np.floating], int]]:
    """A kernel as a file may hold it, and its axis of output channels.

    Source: kernel layouts of TensorFlow Lite: CONV_2D `(out, kh, kw, in)`, TRANSPOSE_CONV the
    same, which Keras has as `(kh, kw, out, in)`, DEPTHWISE_CONV_2D `(1, kh, kw, out)`,
    FULLY_CONNECTED `(out, in)`, BATCH_MATMUL `(in, out)`.
    """
    if kernel.ndim == 2:
        yield kernel.T, 0
        yield kernel, 1
    if kernel.ndim == 3:  # Conv1D
        yield kernel.transpose(2, 0, 1)[:, None], 0
    if kernel.ndim == 4:
        yield kernel.transpose(3, 0, 1, 2), 0
        yield kernel.transpose(2, 0, 1, 3), 0
        yield kernel.reshape(1, *kernel.shape[:2], -1), 3


def _by_channel(array: NDArray[np.generic], channel: int) -> NDArray[np.generic]:
    return np.moveaxis(array, channel, 0).reshape(array.shape[channel], -1)


def _likeness(kernel: NDArray[np.generic], stored: NDArray[np.generic]) -> float:
    """The mean absolute cosine of channels; a channel of nothing but zeros is like any."""
    one, other = kernel.astype(np.float64), stored.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    products = np.abs((one * other).sum(axis=1))
    return float(np.divide(products, lengths, out=np.ones_like(lengths), where=lengths > 0).mean())


def _row(name: str, kernel: NDArray[np.floating], found: list[_Pair]) -> StoredKernel:
    """Count, or refuse what was lost; of several constants the one that kept the least counts."""
    row = StoredKernel(
        name,
        weights=kernel.size,
        values=len(np.unique(kernel)),
        zeros=int((kernel == 0).sum()),
        stored_zeros=min((int((one.stored == 0).sum()) for one in found), default=0),
        clusters=max((_most_values(one.stored) for one in found), default=0),
    )
    lost = max((int(((one.kernel == 0) & (one.stored != 0)).sum()) for one in found), default=0)
    if lost:
        raise ConversionError(
            f"layer '{name}': {lost} of its {row.zeros} zeros are lost in the file"
        )
    had = max((_most_values(one.kernel) for one in found), default=0)
    if row.clustered and row.clusters > had:
        raise ConversionError(
            f"layer '{name}': {row.clusters} different weights in an output channel of the file, "
            f"where the model has {had}"
        )
    return row


def _most_values(by_channel: NDArray[np.generic]) -> int:
    """The most different values in a row."""
    ordered = np.sort(by_channel, axis=1)
    return int((ordered[:, 1:] != ordered[:, :-1]).sum(axis=1).max(initial=0)) + 1
