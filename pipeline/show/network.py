"""The network as a report holds it: a record for each call of a layer, and the sums."""

from pydantic import Field

from pipeline.show.records import Count, Record

Side = tuple[Count, Count]


class Layer(Record):
    """One call of one layer; `inputs` are places in the list of layers, the batch is in no shape.

    Parameters of a shared layer stand at its first call. `field` is the receptive field in
    pixels, height and width; null once there are no positions left.
    """

    name: str
    kind: str
    inputs: tuple[Count, ...]
    output: tuple[Count, ...]
    params: Count
    trainable: Count
    macs: Count
    field: Side | None = None
    kernel: tuple[Count, ...] | None = None
    strides: tuple[Count, ...] | None = None
    dilation: tuple[Count, ...] | None = None
    filters: Count | None = None
    groups: Count | None = None
    activation: str | None = None


class Network(Record):
    """All layers of a network in an order in which they can run, and what they come to."""

    name: str
    params: Count
    trainable: Count
    macs: Count
    receptive_field: Side | None = None
    int8_bytes: Count = Field(description="estimated bytes of the int8 .tflite")
    uncounted: tuple[str, ...] = ()
    layers: tuple[Layer, ...]
