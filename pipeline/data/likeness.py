"""Likeness: pictures that are there twice, exactly or nearly, and labels that contradict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.spatial import cKDTree

from pipeline.data.collection import Collection, Digests
from pipeline.data.decoding import THUMBNAIL

RMS = 3.0  # levels of 255 by which the thumbnails of near duplicates differ at most
CORNER = 4  # lowest frequencies looked up, of 16 in each direction
CHUNK = 256
CANDIDATES = 200_000  # pairs that are looked at, at most


def groups(digests: Sequence[bytes] | Digests) -> list[list[int]]:
    """Rows of equal pixels, two or more together, each group and all of them in row order."""
    packed = np.asarray(digests, np.bytes_)
    order = np.argsort(packed, kind="stable")
    equal = packed[order[1:]] == packed[order[:-1]]
    starts = np.flatnonzero(~np.concatenate(([False], equal)))
    found = [group.tolist() for group in np.split(order, starts[1:]) if len(group) > 1]
    return sorted(found)


@dataclass(frozen=True)
class Near:
    """Pairs of rows that look alike but are not equal; `complete` unless there were too many."""

    pairs: list[tuple[int, int]]
    complete: bool


def near(collection: Collection, rows: NDArray[np.int64], digests: Digests) -> Near:
    """Find all pairs whose 16x16 gray thumbnails differ by at most `RMS`, root mean square.

    Exact for what it looks for: a pair's distance in the lowest frequencies of an orthonormal
    cosine transform is never above its distance in pixels, so a k-d tree over those finds every
    candidate, and the pixels decide. Where there are too many candidates, as in a set of pictures
    that all look alike, only the first pictures are compared.
    """
    features = _features(collection, rows)
    reach = RMS * THUMBNAIL + 1e-3  # a root mean square as a distance, and rounding
    compared, tree = len(rows), cKDTree(features)
    while tree.count_neighbors(tree, reach) - compared > 2 * CANDIDATES:
        compared //= 2
        tree = cKDTree(features[:compared])
    candidates = tree.query_pairs(reach, output_type="ndarray")
    in_order = candidates[np.lexsort(candidates.T[::-1])]
    pairs = _confirmed(collection, rows, in_order, digests)
    return Near(pairs, complete=compared == len(rows))


def _features(collection: Collection, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    features = np.empty((len(rows), CORNER * CORNER))  # as the tree has them: it makes no copy
    for start in range(0, len(rows), CHUNK):
        thumbnails = collection.thumbnails(rows[start : start + CHUNK].tolist())
        spectrum = dctn(thumbnails.astype(np.float32), axes=(1, 2), norm="ortho")
        corner = spectrum[:, :CORNER, :CORNER].reshape(len(thumbnails), -1)
        features[start : start + CHUNK] = corner
    return features


def _confirmed(
    collection: Collection,
    rows: NDArray[np.int64],
    candidates: NDArray[np.int64],
    digests: Digests,
) -> list[tuple[int, int]]:
    found = []
    for start in range(0, len(candidates), CHUNK):
        pairs = rows[candidates[start : start + CHUNK]]
        one, other = (collection.thumbnails(pairs[:, side].tolist()) for side in (0, 1))
        square = np.square(one.astype(np.float32) - other).mean(axis=(1, 2))
        found += [(int(a), int(b)) for a, b in pairs[square <= RMS**2] if digests[a] != digests[b]]
    return found
