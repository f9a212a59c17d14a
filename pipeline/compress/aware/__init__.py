"""Quantization-aware training: a network that computes as its int8 file will, while it learns.

Ours, on Keras 3 alone. tfmot's rounds where it sees a layer, this where the file will hold a
tensor: docs/quantization_aware.md says what differs and what it is worth.
"""

from pipeline.compress.aware.build import quantization_aware
from pipeline.compress.aware.deploy import deployable
from pipeline.compress.aware.layers import calibrate

__all__ = ["calibrate", "deployable", "quantization_aware"]
