"""Memory-mapped arrays inside TensorFlow: not copied, and asked for before they are read."""

import ctypes
import math
import mmap
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

PROBES = 8  # rows looked up to see whether a stretch of them is in memory


def where_they_lie(*arrays: NDArray[Any]) -> tuple[tf.Tensor, ...]:
    """Have a tf.data function make tensors of arrays' own memory: a mapped file is read in place.

    To be passed on in a data set's elements, which are not copied. What a function captures would
    be: tf.data writes it into a graph before it begins, whole. An array that TensorFlow's kernels
    cannot read in place is copied too: one with gaps, or with a start that is no multiple of 64
    bytes. A `.npy` file, mapped, is never one of these.
    """
    tensors: list[tf.Tensor] = tf.numpy_function(
        lambda: arrays, [], [array.dtype for array in arrays]
    )
    for tensor, array in zip(tensors, arrays, strict=True):
        tensor.set_shape(array.shape)
    return tuple(tensors)


class Rows:
    """Rows of a mapped array, read at random: the system is told which, ahead of their use.

    Left alone it would read megabytes around each page touched (its read-ahead), throw out other
    pages for them, and wait for one page before it asks for the next.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array  # keeps the memory mapped
        self._bytes = math.prod(array.shape[1:]) * array.itemsize
        system = ctypes.CDLL(None)  # its calls, unlike those of `mmap`, let other threads run
        self._advise, self._look = system.madvise, system.mincore
        self._advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        self._look.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        self._advise(*self._span(0, len(array)), mmap.MADV_RANDOM)

    def ask(self, rows: NDArray[np.int64]) -> int:
        """Have the system begin to read some rows, and say how many; nothing waits.

        Asking costs a call a row, so it is left out where each of a few is in memory already.
        """
        if all(map(self.cached, rows[:: max(1, len(rows) // PROBES)])):
            return 0
        for row in rows.tolist():
            self._advise(*self._span(row), mmap.MADV_WILLNEED)
        return len(rows)

    def cached(self, row: int) -> bool:
        """Whether all of a row is in memory now."""
        start, length = self._span(int(row))
        pages = np.zeros(-(-length // mmap.PAGESIZE), np.uint8)
        self._look(start, length, pages.ctypes.data)
        return bool((pages & 1).all())

    def _span(self, first: int, count: int = 1) -> tuple[int, int]:
        """Address and length in bytes of some rows, from the page they begin on."""
        start = self._array.ctypes.data + first * self._bytes
        return start - (before := start % mmap.PAGESIZE), count * self._bytes + before
