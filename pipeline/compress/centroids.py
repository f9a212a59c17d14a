"""Where clusters of weights begin: k-means on numbers, started by k-means++ (no TensorFlow here).

Source: Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding", 2007.
"""

import numpy as np
from numpy.typing import NDArray

ROUNDS = 100  # of Lloyd's; on numbers they come to rest sooner


def centroids(kernel: NDArray[np.floating], clusters: int, seed: int) -> NDArray[np.float32]:
    """Return `clusters` values `(clusters,)` that stand for the weights of a kernel.

    Where the kernel has zeros, the first is zero, and the others are of its other weights. Of a
    kernel with fewer different weights the last is repeated.
    """
    weights = np.sort(np.asarray(kernel, np.float64), axis=None)
    exact = [0.0] if (weights == 0).any() else []
    rest = weights[weights != 0] if exact else weights
    if len(rest):
        exact += _settled(rest, _scattered(rest, clusters - len(exact), seed)).tolist()
    values = np.array(exact, np.float32)
    return np.pad(values, (0, clusters - len(values)), mode="edge")


def _scattered(ordered: NDArray[np.float64], clusters: int, seed: int) -> NDArray[np.float64]:
    """Draw weights as first centroids: each the likelier, the farther it is from those before."""
    random = np.random.default_rng(seed)
    chosen = [random.choice(ordered)]
    distances = np.square(ordered - chosen[0])
    while len(chosen) < clusters and (total := distances.sum()) > 0:
        chosen.append(random.choice(ordered, p=distances / total))
        distances = np.minimum(distances, np.square(ordered - chosen[-1]))
    return np.array(chosen)


def _settled(ordered: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move each centroid to the mean of the weights nearest to it, until none moves."""
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(ROUNDS):
        found = np.unique(found)
        inner = np.searchsorted(ordered, (found[1:] + found[:-1]) / 2)
        edges = np.array([0, *inner, len(ordered)])
        sizes = np.diff(edges)
        means = np.where(sizes > 0, np.diff(sums[edges]) / np.maximum(sizes, 1), found)
        if np.array_equal(means, found):
            break
        found = means
    return found
