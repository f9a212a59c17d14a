"""The pattern in which weights become zero: each by itself, m of every n, or whole blocks.

A kernel is `(..., inputs, outputs)`, as of Dense and Conv2D. No TensorFlow here.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[Any]


@dataclass(frozen=True)
class Pattern:
    """How zeros lie in a kernel.

    `m_by_n` (m, n): at least m zeros among every n weights that follow each other along the input
    channels; where these do not divide, the last group counts as filled up with zeros. `block`
    (rows, columns): zeros come as whole blocks of input by output channels, at each place of a
    convolution's kernel by itself; blocks at the edges may be cut.
    """

    m_by_n: tuple[int, int] | None = None
    block: tuple[int, int] = (1, 1)

    @classmethod
    def read(cls, text: str) -> Self:
        """Make one of `unstructured`, `2:4` or `4x1`, which the settings have checked."""
        if text == "unstructured":
            return cls()
        first, second = map(int, text.replace("x", ":").split(":"))
        return cls(block=(first, second)) if "x" in text else cls(m_by_n=(first, second))

    @property
    def share(self) -> float | None:
        """The sparsity that m:n fixes, 0..1; None where a sparsity is free."""
        return None if self.m_by_n is None else self.m_by_n[0] / self.m_by_n[1]

    def mask(self, kernel: Kernel, sparsity: float) -> NDArray[np.bool_]:
        """What of a kernel stays when it is pruned at once, as tfmot would choose: bool, its shape.

        Of m:n `sparsity` says nothing.
        """
        if self.m_by_n is not None:
            groups = self._groups(np.abs(kernel))
            largest = np.argsort(-groups, axis=-1, kind="stable")[..., : -self.m_by_n[0]]
            chosen = np.zeros(groups.shape, bool)
            np.put_along_axis(chosen, largest, True, axis=-1)
            *places, inputs, outputs = kernel.shape
            rows = chosen.reshape(len(groups), -1)[:, :inputs]
            return np.moveaxis(rows.reshape(*places, outputs, inputs), -1, -2)
        scores = self.means(np.abs(kernel))
        order = np.argsort(-scores, axis=None, kind="stable")[: kept(scores.size, sparsity)]
        stays = np.zeros(scores.size, bool)
        stays[order] = True
        return self._spread(stays.reshape(scores.shape), kernel.shape)

    def lacking(self, kernel: Kernel, sparsity: float) -> str | None:
        """Say how a pruned kernel is not in the pattern; None where all that is due is zero."""
        if self.m_by_n is not None:
            m, n = self.m_by_n
            groups = (self._groups(kernel) == 0).sum(axis=-1)
            bad = int((groups < m).sum())
            return (
                f"{bad} of {groups.size} groups of {n} have fewer than {m} zeros" if bad else None
            )
        zero = self.means(np.abs(kernel)) == 0
        found, due = int(zero.sum()), zero.size - kept(zero.size, sparsity)
        if found >= due:
            return None
        if self.block == (1, 1):
            return f"{found} zeros of {zero.size} weights, {due} were due"
        return f"{found} zero blocks of {zero.size}, {due} were due"

    def means(self, weights: Kernel) -> Kernel:
        """The mean of each block: `(places, rows of blocks, columns of blocks)`."""
        return self._sums(weights) / self.sizes(weights.shape)

    def sizes(self, shape: tuple[int, ...]) -> Kernel:
        """How many weights of a kernel of this shape each block has: those at edges are cut."""
        return self._sums(np.ones(shape))

    def _sums(self, weights: Kernel) -> Kernel:
        (rows, columns), (inputs, outputs) = self.block, weights.shape[-2:]
        flat = weights.reshape(-1, inputs, outputs)
        padded = np.pad(flat, ((0, 0), (0, -inputs % rows), (0, -outputs % columns)))
        down, across = padded.shape[1] // rows, padded.shape[2] // columns
        blocks = padded.reshape(len(flat), down, rows, across, columns)
        return np.asarray(blocks.sum(axis=(2, 4)))

    def _spread(self, stays: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
        rows, columns = self.block
        full = stays.repeat(rows, axis=1).repeat(columns, axis=2)
        return full[:, : shape[-2], : shape[-1]].reshape(shape)

    def _groups(self, weights: Kernel) -> Kernel:
        """Weights as `(outputs, groups, n)`; the last group of an output filled up with zeros."""
        assert self.m_by_n is not None
        n, inputs = self.m_by_n[1], weights.shape[-2]
        rows = np.moveaxis(weights, -2, -1).reshape(-1, inputs)
        return np.pad(rows, ((0, 0), (0, -inputs % n))).reshape(len(rows), -1, n)


UNSTRUCTURED = Pattern()


def kept(units: int, sparsity: float) -> int:
    """How many weights or blocks tfmot keeps: rounded in float32, and at least one."""
    return max(int(np.rint(np.float32(units) * (np.float32(1) - np.float32(sparsity)))), 1)
