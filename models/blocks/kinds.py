"""Names of normalizations and activations, without Keras: for what checks a recipe."""

from typing import Literal

NormalizationKind = Literal["batch", "layer", "group", "instance"]
ActivationKind = Literal["relu", "relu6", "leaky_relu", "prelu", "elu", "sigmoid", "tanh"]
GROUPS = 8  # of group normalization, where the channels are so divisible; else one
