"""One Keras 3 layer -> its tf_keras twin, unbuilt: the same name, settings and training rules."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tf_keras
from keras.src.applications import convnext, inception_resnet_v2
from tf_keras.src.applications import convnext as legacy_convnext
from tf_keras.src.applications import inception_resnet_v2 as legacy_inception_resnet_v2

from pipeline.compress.legacy.activations import twin_activation
from pipeline.errors import ConversionError

# Layers whose twin of the same name computes the same; tests/compress runs every one of them.
SAME_NAME = (
    *("Dense", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"),
    *("BatchNormalization", "GroupNormalization", "UnitNormalization"),
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "ActivityRegularization"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"),
    *("Flatten", "Reshape", "Permute", "RepeatVector", "Identity"),
    *("ZeroPadding2D", "Cropping2D", "CenterCrop", "UpSampling2D", "Resizing"),
    *("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *("Rescaling", "Normalization"),
)


@tf_keras.utils.register_keras_serializable("pix2pocket")
class LayerNormalization(tf_keras.layers.LayerNormalization):
    """Normalize by the kernels of Keras 3; tf_keras's fused ones differ in the last bits."""

    def _fused_can_be_used(self, ndims: int) -> bool:
        return False


TWINS: Mapping[type, type] = {
    **{getattr(keras.layers, name): getattr(tf_keras.layers, name) for name in SAME_NAME},
    keras.layers.LayerNormalization: LayerNormalization,
    # keras.applications keeps these beside their networks instead of in keras.layers.
    convnext.LayerScale: legacy_convnext.LayerScale,
    convnext.StochasticDepth: tf_keras.layers.Dropout,  # of whole pictures
    inception_resnet_v2.CustomScaleLayer: legacy_inception_resnet_v2.CustomScaleLayer,
}

# What only Keras 3 knows: with this value the setting does nothing, so it may be left out.
NEUTRAL: Mapping[str, Any] = {
    "data_format": "channels_last",
    "quantization_config": None,
    "rms_scaling": False,
    "antialias": False,
    "pad_to_aspect_ratio": False,
    "fill_mode": "constant",
    "fill_value": 0.0,
}


def twin_layer(layer: keras.layers.Layer) -> Any:
    """Return an unbuilt tf_keras layer that computes and trains as `layer` does.

    Raises:
        ConversionError: naming the layer and its class, when there is no such twin.
    """
    twin = TWINS.get(type(layer))
    if twin is None:
        raise _refusal(layer, "has no tf_keras twin")
    config = dict(layer.get_config())
    config["dtype"] = _dtype(layer)
    for key, value in config.items():
        if key.endswith("_initializer"):
            # Every weight is copied, and "zeros" draws nothing from the global random state.
            config[key] = "zeros"
        elif key.endswith("_regularizer"):
            config[key] = _built_in(layer, key, value, tf_keras.regularizers)
        elif key.endswith("_constraint"):
            config[key] = _built_in(layer, key, value, tf_keras.constraints)
        elif key == "activation":
            config[key] = twin_activation(layer.name, value)
    if (adapt := ADAPTATIONS.get(type(layer))) is not None:
        adapt(layer, config)
    known = _arguments(twin)
    for key in [key for key in config if key not in known]:
        value = config.pop(key)
        if key not in NEUTRAL or value != NEUTRAL[key]:
            raise _refusal(layer, f"has {key}={value!r}, which tf_keras does not know")
    return twin(**config)


def _unfused(_: keras.layers.Layer, config: dict[str, Any]) -> None:
    # tf_keras would take the fused kernel: outputs differ in their last bits, and its moving
    # variance is divided by n - 1. The plain one is the kernel of Keras 3, bit for bit.
    config["fused"] = False


def _slope(_: keras.layers.Layer, config: dict[str, Any]) -> None:
    config["alpha"] = config.pop("negative_slope")


def _of_whole_pictures(layer: keras.layers.Layer, config: dict[str, Any]) -> None:
    # tf_keras' own draws from where no fit can go on: it has no generator.
    rank = len(layer._inbound_nodes[0].outputs[0].shape)
    config["rate"] = config.pop("drop_path_rate")
    config["noise_shape"] = (None, *[1] * (rank - 1))


ADAPTATIONS: Mapping[type, Callable[[keras.layers.Layer, dict[str, Any]], None]] = {
    convnext.StochasticDepth: _of_whole_pictures,
    keras.layers.BatchNormalization: _unfused,
    keras.layers.LeakyReLU: _slope,
}


def _dtype(layer: keras.layers.Layer) -> str:
    policy = layer.dtype_policy
    if policy.quantization_mode is not None:
        raise _refusal(layer, f"is quantized ({policy.name})")
    return str(policy.name)


def _built_in(layer: keras.layers.Layer, key: str, value: Any, theirs: Any) -> Any:
    """Return the tf_keras object for a serialized built-in regularizer or constraint."""
    if value is None:
        return None
    name, kind = value["class_name"], theirs.__name__.rsplit(".", 1)[-1]
    if value["module"] != f"keras.{kind}" or not hasattr(theirs, name):
        raise _refusal(layer, f"has the {key} {name}, which tf_keras does not know")
    return getattr(theirs, name)(**value["config"])


def _arguments(twin: type) -> set[str]:
    """Every keyword the constructors of a tf_keras layer take, through its base classes."""
    inits = (vars(base)["__init__"] for base in twin.__mro__ if "__init__" in vars(base))
    named = {name for init in inits for name in inspect.signature(init).parameters}
    return named - {"self", "args", "kwargs"} | {"dtype"}


def _refusal(layer: keras.layers.Layer, reason: str) -> ConversionError:
    return ConversionError(f"layer '{layer.name}' ({type(layer).__name__}) {reason}")
