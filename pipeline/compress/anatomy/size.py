"""Bytes of the int8 .tflite that a network will make, from its rows alone."""

from collections.abc import Sequence
from math import prod

from pipeline.compress.anatomy.record import Layer

BASE = 1500  # header, signature, metadata, the tensors at both ends
CHANNEL = 28  # bias 4, its scale 4 and zero point 8; the kernel's scale 4 and zero point 8
TENSOR = 200  # name, shape, quantization, buffer; and its share of the operations

_FUSED = {"relu", "relu6"}
_FREE = {"Rescaling", "Normalization", "Identity", "InputLayer", "ActivityRegularization"}
_WITH_CONSTANT = {"ZeroPadding2D", "Flatten", "Reshape", "PReLU", "Resizing", "UpSampling2D"}


def int8_bytes(rows: Sequence[Layer]) -> int:
    """Estimate the file that `int8` writes of a network with these layers.

    Weights take a byte each. An output channel of a convolution or dense layer takes `CHANNEL`
    bytes, a tensor about `TENSOR`. Batch normalization folds into a convolution or dense layer
    whose output nothing else uses, and is a product and a sum with two constants elsewhere; ReLU
    and dropout cost nothing; pooling over the whole map, padding and reshaping hold a constant.

    Against files of eleven networks whose biases are not all zero: LeNet-5 +1.6 %, small_cnn of
    width 4 +0.7 %, 32 +0.1 %, 64 0.0 %, MobileNet 0.25 -2.2 %, V2 0.35 -2.4 %, V3 small -0.7 %,
    DenseNet-121 +0.1 %, Inception-v3 -0.1 %, ResNet-50 -0.1 %, its version 2 0.0 %. What is
    missed are long names of layers. Biases of nothing but zeros are shared, and the file smaller.
    """
    users = [0] * len(rows)
    for row in rows:
        for source in row.inputs:
            users[source] += 1
    total = BASE
    for row in rows:
        before = rows[row.inputs[0]] if row.inputs else None
        folds = before is not None and before.macs > 0 and users[row.inputs[0]] == 1
        total += _weights(row, before) + TENSOR * _tensors(row, folds)
        if row.kind == "BatchNormalization" and not folds:
            total += 2 * row.output[-1]
    return total


def _weights(row: Layer, before: Layer | None) -> int:
    """Bytes of the kernel and of what is stored for each output channel."""
    if not row.macs or not row.params or before is None:
        return row.params if row.kind == "PReLU" else 0
    halves = 2 if "Separable" in row.kind else 1
    positions = prod((before if "Transpose" in row.kind else row).output[:-1])
    between = before.output[-1] if halves == 2 else 0
    return row.macs // positions + CHANNEL * (row.output[-1] + between)


def _tensors(row: Layer, folds: bool) -> int:
    """How many tensors a layer adds to the file: its output and its constants."""
    if row.macs:
        own = 6 if "Separable" in row.kind else 3 if row.params else 1
        return own + (row.activation is not None and row.activation not in _FUSED)
    noise = "Dropout" in row.kind or "Noise" in row.kind
    if noise or row.kind in _FREE or row.kind == "ReLU" or row.activation in _FUSED:
        return 0
    if "Normalization" in row.kind:
        return 0 if folds else 4
    return 2 if row.kind in _WITH_CONSTANT or row.kind.startswith("Global") else 1
