"""The figures of a network: a row for each call of a layer, and their sums."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Layer:
    """One call of one layer or operation, in an order in which they can run.

    `inputs` are places in the list of the layers whose outputs it takes. `output` is the shape
    of what it gives, without the batch; the first output where it has several. `params` and
    `trainable` stand at the first call of a shared layer and are 0 at the others; `macs` is for
    this call. `field` is how many pixels `(height, width)` one position of the output depends on;
    None where there is no picture to look at. `kernel`, `strides`, `dilation`, `filters`,
    `groups` and `activation` are as the layer says, None where it says nothing.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    output: tuple[int, ...]
    params: int
    trainable: int
    macs: int
    field: tuple[int, int] | None
    kernel: tuple[int, ...] | None = None
    strides: tuple[int, ...] | None = None
    dilation: tuple[int, ...] | None = None
    filters: int | None = None
    groups: int | None = None
    activation: str | None = None


@dataclass(frozen=True)
class Anatomy:
    """A network as rows and sums.

    `receptive_field` is `(height, width)` in pixels just before the last pooling over the whole
    map, or flattening, on the way to the output. `int8_bytes` is what an int8 .tflite of it will
    weigh, about. `uncounted` names the layers that do multiply and have no rule of counting.
    """

    name: str
    params: int
    trainable: int
    macs: int
    receptive_field: tuple[int, int] | None
    int8_bytes: int
    uncounted: tuple[str, ...]
    layers: tuple[Layer, ...]

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)
