"""Zeros and clusters as they are in the files: kernel by kernel, and in a line a variant."""

from pipeline.show import numbers
from pipeline.show.records import Count, Record

FEW = 256  # different weights up to which a kernel with four of each was clustered


class Kernel(Record):
    """A kernel of the model and what its file holds of it.

    `zeros` and `values`, the number of different weights, are the model's. `stored_zeros` are the
    file's, and so are `clusters`: the most different weights in one output channel.
    """

    name: str
    weights: Count
    values: Count
    zeros: Count
    stored_zeros: Count
    clusters: Count

    @property
    def clustered(self) -> bool:
        """Whether the model's kernel has few different weights."""
        return self.values <= FEW and 4 * self.values <= self.weights

    @property
    def sparsity(self) -> float:
        """The share of zeros in the file, 0..1."""
        return self.stored_zeros / self.weights if self.weights else 0.0


def kept(kernels: tuple[Kernel, ...]) -> bool:
    """Whether there was anything to keep: a zero, or a cluster."""
    return any(kernel.zeros or kernel.clustered for kernel in kernels)


def told(kernels: tuple[Kernel, ...]) -> str:
    """What is in a file, as `80.1 % zeros in 4 layers, at most 16 weights a channel in 3`."""
    sparse = [kernel for kernel in kernels if kernel.zeros]
    shared = [kernel.clusters for kernel in kernels if kernel.clustered]
    said = []
    if sparse:
        share = sum(one.stored_zeros for one in sparse) / sum(one.weights for one in sparse)
        said.append(f"{numbers.percent(share, 1)} zeros in {_layers(len(sparse))}")
    if shared:
        most = max(shared)
        said.append(f"at most {most} different weights a channel in {_layers(len(shared))}")
    return ", ".join(said)


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"
