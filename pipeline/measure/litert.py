"""Run a .tflite file on pictures with LiteRT, as an app would: one picture at a time."""

from math import prod
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from pipeline.errors import ConversionError, IntegrityError

# Pictures are brought into the file's form this many bytes at a time, so they stay in cache.
_CHUNK_BYTES = 1 << 20


class LiteRT:
    """A loaded .tflite classifier: one batch-1 picture in, one row of probabilities out.

    The XNNPACK delegate is on, as it is in apps. `threads` is fixed for the object's life.
    `image_shape` is `(H, W, C)` as the file wants it.

    Raises:
        IntegrityError: the file is missing or is not a .tflite file.
        ConversionError: LiteRT cannot run it, or it does not map one picture to one row.
    """

    def __init__(self, path: Path, threads: int = 1):
        self.path, self.threads = path, threads
        if not path.is_file():
            raise IntegrityError(f"{path}: no such file")
        try:
            self._interpreter = Interpreter(str(path), num_threads=threads)
        except ValueError as error:
            raise IntegrityError(f"{path}: not a .tflite file ({_line(error)})") from error
        try:
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ConversionError(f"{path}: LiteRT cannot run it ({_line(error)})") from error
        self._input = self._only("input", self._interpreter.get_input_details())
        self._output = self._only("output", self._interpreter.get_output_details())
        self._codes = self._input_codes()
        if self._output["dtype"] != np.float32 and not self._output["quantization"][0]:
            raise ConversionError(f"{path}: its output is not probabilities (integers, no scale)")
        self.image_shape: tuple[int, ...] = tuple(int(n) for n in self._input["shape"][1:])

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Map pictures uint8 `(N, H, W, C)` to probabilities float32 `(N, classes)`.

        Raises:
            ConversionError: the pictures have another shape or type, or LiteRT gave up on one.
        """
        self._check(images.shape[1:], images.dtype)
        source, target = self._input["index"], self._output["index"]
        set_input, get_output = self._interpreter.set_tensor, self._interpreter.get_tensor
        invoke = self._interpreter.invoke
        rows = np.empty((len(images), *self._output["shape"][1:]), self._output["dtype"])
        step = max(1, _CHUNK_BYTES // self._picture_bytes())
        try:
            for start in range(0, len(images), step):
                chunk = self._encode(images[start : start + step])[:, np.newaxis]
                for row, picture in enumerate(chunk, start):
                    set_input(source, picture)
                    invoke()
                    rows[row] = get_output(target)
        except (ValueError, RuntimeError) as error:
            raise ConversionError(f"{self.path}: LiteRT stopped ({_line(error)})") from error
        return self._decode(rows).reshape(len(images), prod(rows.shape[1:]))

    def invoke_once(self, image: np.ndarray) -> int:
        """Set one picture uint8 `(H, W, C)`, run it, and return the nanoseconds of the run alone.

        Raises:
            ConversionError: the picture has another shape or type.
        """
        self._check(image.shape, image.dtype)
        self._interpreter.set_tensor(self._input["index"], self._encode(image)[np.newaxis])
        invoke = self._interpreter.invoke
        begin = perf_counter_ns()
        invoke()
        return perf_counter_ns() - begin

    def _only(self, what: str, tensors: list[dict[str, Any]]) -> dict[str, Any]:
        """The single batch-1 input or output."""
        shapes = [tuple(int(n) for n in tensor["shape"]) for tensor in tensors]
        if len(shapes) != 1 or shapes[0][:1] != (1,):
            raise ConversionError(f"{self.path}: wants one {what} of batch 1, has shapes {shapes}")
        return tensors[0]

    def _input_codes(self) -> np.ndarray | None:
        """What the file wants in place of each byte 0..255; None if it wants the byte itself.

        Source: the QUANTIZE kernel of TensorFlow Lite: half away from zero, then clamped.
        """
        dtype, (scale, zero_point) = np.dtype(self._input["dtype"]), self._input["quantization"]
        pixels = np.arange(256, dtype=np.float32)
        if dtype == np.float32:
            return pixels
        if dtype == np.uint8 and (scale, zero_point) in {(1.0, 0), (0.0, 0)}:
            return None
        if dtype not in (np.uint8, np.int8, np.int16) or not scale:
            raise ConversionError(f"{self.path}: cannot feed pictures to an input of type {dtype}")
        codes = np.floor(pixels / np.float32(scale) + np.float32(0.5)) + zero_point
        limits = np.iinfo(dtype)
        clamped: np.ndarray = np.clip(codes, limits.min, limits.max).astype(dtype)
        return clamped

    def _picture_bytes(self) -> int:
        return prod(self.image_shape) * int(np.dtype(self._input["dtype"]).itemsize)

    def _encode(self, images: np.ndarray) -> np.ndarray:
        if self._codes is None:
            return images
        if self._codes.dtype == np.float32:  # the byte as a float: a cast is 8 times faster
            return images.astype(np.float32)
        return np.take(self._codes, images)

    def _decode(self, rows: np.ndarray) -> np.ndarray:
        scale, zero_point = self._output["quantization"]
        if rows.dtype == np.float32:
            return rows
        return (rows.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)

    def _check(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if shape != self.image_shape or dtype != np.uint8:
            raise ConversionError(
                f"{self.path}: wants pictures uint8 {self.image_shape}, got {dtype} {shape}"
            )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
