"""What each class of layer and operation does to channels: one row a class, or several."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import layers as L
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
from keras.src.ops import core, math, nn
from keras.src.ops import numpy as arrays

from pipeline.compress.channels.rules import kernels, scales, shapes
from pipeline.compress.channels.rules.call import Axes, Call, Signal, is_pointwise

__all__ = ["RULES", "Call", "Signal"]

Rule = Callable[[Call], Axes]


def _activation(call: Call) -> Axes:
    """An activation that takes each value by itself passes channels on, any other keeps all."""
    return call.signal.axes if is_pointwise(call.layer.activation) else call.fix_all()


# By the exact class: one derived from it may do anything.
RULES: Mapping[type[Any], Rule] = {
    **dict.fromkeys((L.Conv1D, L.Conv2D, L.Conv3D), kernels.convolution),
    **dict.fromkeys((L.Conv1DTranspose, L.Conv2DTranspose), kernels.transposed),
    L.Conv3DTranspose: kernels.transposed,
    **dict.fromkeys((L.DepthwiseConv1D, L.DepthwiseConv2D), kernels.depthwise),
    **dict.fromkeys((L.SeparableConv1D, L.SeparableConv2D), kernels.separable),
    L.Dense: kernels.dense,
    L.Embedding: kernels.embedding,
    L.BatchNormalization: scales.batch,
    **dict.fromkeys((L.LayerNormalization, L.RMSNormalization), scales.layer),
    L.UnitNormalization: scales.layer,
    L.GroupNormalization: scales.group,
    L.Normalization: scales.normalization,
    L.Rescaling: scales.rescaling,
    L.PReLU: scales.prelu,
    LayerScale: scales.scaled,
    L.Activation: _activation,
    **dict.fromkeys((L.ReLU, L.LeakyReLU, L.ELU), shapes.passed),
    L.Softmax: Call.fix_all,
    **dict.fromkeys((L.Identity, L.ActivityRegularization, StochasticDepth), shapes.passed),
    **dict.fromkeys((L.Dropout, L.AlphaDropout, L.GaussianDropout), shapes.passed),
    **dict.fromkeys((L.SpatialDropout1D, L.SpatialDropout2D), shapes.passed),
    **dict.fromkeys((L.SpatialDropout3D, L.GaussianNoise), shapes.passed),
    **dict.fromkeys((L.MaxPooling1D, L.MaxPooling2D, L.MaxPooling3D), shapes.picture),
    **dict.fromkeys((L.AveragePooling1D, L.AveragePooling2D), shapes.picture),
    **dict.fromkeys((L.AveragePooling3D, L.Resizing, L.CenterCrop), shapes.picture),
    **dict.fromkeys((L.ZeroPadding1D, L.ZeroPadding2D, L.ZeroPadding3D), shapes.picture),
    **dict.fromkeys((L.Cropping1D, L.Cropping2D, L.Cropping3D), shapes.picture),
    **dict.fromkeys((L.UpSampling1D, L.UpSampling2D, L.UpSampling3D), shapes.picture),
    **dict.fromkeys((L.GlobalAveragePooling1D, L.GlobalMaxPooling1D), shapes.pooled),
    **dict.fromkeys((L.GlobalAveragePooling2D, L.GlobalMaxPooling2D), shapes.pooled),
    **dict.fromkeys((L.GlobalAveragePooling3D, L.GlobalMaxPooling3D), shapes.pooled),
    L.Flatten: shapes.flattened,
    **dict.fromkeys((L.Reshape, arrays.Reshape), shapes.reshaped),
    L.Permute: shapes.permuted,
    arrays.Transpose: shapes.transposed,
    L.RepeatVector: shapes.repeated,
    **dict.fromkeys((L.Concatenate, arrays.Concatenate), shapes.joined),
    **dict.fromkeys((L.Add, L.Subtract, L.Multiply, L.Average), shapes.merged),
    **dict.fromkeys((L.Maximum, L.Minimum, CustomScaleLayer), shapes.merged),
    **dict.fromkeys((arrays.Add, arrays.Subtract, arrays.Multiply), shapes.merged),
    **dict.fromkeys((arrays.Divide, arrays.TrueDivide, arrays.Power), shapes.merged),
    **dict.fromkeys((arrays.Maximum, arrays.Minimum), shapes.merged),
    **dict.fromkeys((arrays.Mean, arrays.Sum, arrays.Max, arrays.Min), shapes.reduced),
    **dict.fromkeys((arrays.Absolute, arrays.Negative, arrays.Square), shapes.passed),
    **dict.fromkeys((core.ConvertToTensor, core.Cast), shapes.passed),
    **dict.fromkeys((arrays.Sqrt, arrays.Exp, arrays.Log, arrays.Tanh), shapes.passed),
    **dict.fromkeys((arrays.Reciprocal, math.Rsqrt, math.Erf), shapes.passed),
    **dict.fromkeys((nn.Relu, nn.Relu6, nn.LeakyRelu, nn.Elu, nn.Selu), shapes.passed),
    **dict.fromkeys((nn.Sigmoid, nn.HardSigmoid, nn.Silu, nn.HardSilu), shapes.passed),
    **dict.fromkeys((nn.Gelu, nn.Softplus, nn.Softsign, nn.LogSigmoid), shapes.passed),
    **dict.fromkeys((nn.Celu, nn.HardTanh, arrays.Clip, core.StopGradient), shapes.passed),
    **dict.fromkeys((nn.Softmax, nn.LogSoftmax), Call.fix_all),
}
