"""A .tflite file run so that every tensor in between can be looked at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


class Watched:
    """A loaded file all of whose tensors can be looked at after a picture."""

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(
            str(path),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self.known = {one["name"]: one for one in self._interpreter.get_tensor_details()}

    def run(self, image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """What the named tensors hold for a picture uint8 `(H, W, C)`, as real numbers."""
        dtype, zero = self._input["dtype"], self._input["quantization"][1]
        pixels = image[np.newaxis].astype(np.int16) + (zero if dtype == np.int8 else 0)
        self._interpreter.set_tensor(self._input["index"], pixels.astype(dtype))
        self._interpreter.invoke()
        return {name: self._real(self.known[name]) for name in names}

    def grid(self, name: str) -> tuple[float, int] | None:
        """Scale and zero point of a tensor, if it holds integers."""
        scale, zero_point = self.known[name]["quantization"]
        return (scale, zero_point) if scale else None

    def _real(self, tensor: Mapping[str, Any]) -> np.ndarray:
        stored: np.ndarray = self._interpreter.get_tensor(tensor["index"])
        scale, zero_point = tensor["quantization"]
        return (stored.astype(np.float64) - zero_point) * scale if scale else stored.astype(float)
