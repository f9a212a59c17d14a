"""Backbone: a network of `keras.applications` with weights learned before, and a new head."""

import warnings
from typing import Any

import keras
import numpy as np
from keras import layers

from models.applications import APPLICATIONS, check_pictures
from models.blocks.normalization import MOMENTUM
from models.blocks.regularization import drop
from models.flat import laid_over
from models.head import ending
from models.outside import place
from models.weights import load_weights
from pipeline.errors import ResourceError

# Of ImageNet, by channel, for pixels 0..1 (RGB), as keras.applications has them.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
CAFFE_MEAN = (123.68, 116.779, 103.939)  # for pixels 0..255


def backbone(
    input_shape: tuple[int, int, int],
    classes: int,
    network: str = "MobileNetV2",
    weights: str = "imagenet",
    alpha: float = 1.0,
    dropout: float = 0.0,
) -> keras.Model:
    """Any network of keras.applications by name, with its weights, and a new head on top.

    Maps pixels `(B, H, W, C)` 0..255 to class probabilities `(B, classes)`: what that network
    does to its pixels is inside (`build.preprocess=own`), gray pictures become three channels.
    Global average pooling, `dropout`, one dense layer. `weights`: `imagenet` (downloaded), `none`,
    or a file of weights without the top, `.weights.h5` or the `.h5` that keras.applications
    downloads. `alpha` is the width of the MobileNets.

    With weights, batch normalization stays as it was learned, in fine-tuning too: its statistics
    are of a million pictures, those of a few hundred would undo them. Without, its momentum is 0.9.

    Raises:
        ConfigError: the pictures are too small, or the weights are of another network.
        IntegrityError: the file of weights is damaged, or no file of mere weights.
        ResourceError: the weights cannot be downloaded.

    Source: Keras' guide "Transfer learning & fine-tuning"; each network's paper is named in
    keras.applications.
    """
    check_pictures(network, input_shape)
    extractor = _extractor(network, weights, alpha, input_shape)
    for layer in _normalizations(extractor):
        if weights == "none":
            layer.momentum = MOMENTUM
        else:
            layer.trainable = False
    images = layers.Input(input_shape, name="images")
    x = laid_over(extractor, _prepared(images, APPLICATIONS[network].pixels))
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = drop(x, dropout)
    x = layers.Dense(classes, activation=ending(), name="probabilities")(x)
    return keras.Model(images, x, name="backbone")


def _extractor(
    network: str, weights: str, alpha: float, input_shape: tuple[int, int, int]
) -> keras.Model:
    """Make the network without its top, from RGB pixels as it wants them to feature maps."""
    shape = (*input_shape[:2], 3)
    options: dict[str, Any] = {"include_top": False, "input_tensor": layers.Input(shape)}
    options["weights"] = "imagenet" if weights == "imagenet" else None
    if not network.startswith("NASNet"):  # those want ImageNet's size told, and take any
        options["input_shape"] = shape
    if APPLICATIONS[network].widths:
        options["alpha"] = alpha
    try:
        with warnings.catch_warnings():
            # Of weights for pictures of 224, which are loaded all the same, as they should be.
            warnings.simplefilter("ignore")
            made: keras.Model = getattr(keras.applications, network)(**options)
    except Exception as error:  # a download raises a bare one
        if weights != "imagenet":
            raise
        reason = " ".join(str(error).split())[:250]
        raise ResourceError(
            f"build.weights: those of {network} on ImageNet cannot be fetched ({reason}); fetch "
            "that file elsewhere and give build.weights=FILE, or build.weights=none"
        ) from error
    if weights not in {"imagenet", "none"}:
        load_weights(made, place(weights), f"{network} at alpha {alpha:g}")
        _mend_efficientnet(made)
    if APPLICATIONS[network].pixels == "caffe":
        _take_rgb(made)
    return made


def _prepared(images: Any, pixels: str) -> Any:
    """Do to pixels `(B, H, W, 1 or 3)` what the network's `preprocess_input` does.

    All but the turn from RGB to BGR, which the first kernel has been told instead.
    """
    x = images
    if images.shape[-1] == 1:
        x = layers.Concatenate(name="gray_to_rgb")([images, images, images])
    if pixels == "tf":
        return layers.Rescaling(1 / 127.5, -1.0, name="own")(x)
    if pixels == "built_in":
        return x
    mean, variance = list(CAFFE_MEAN), [1.0, 1.0, 1.0]
    if pixels == "torch":
        mean, variance = [255 * m for m in MEAN], [(255 * d) ** 2 for d in DEVIATION]
    return layers.Normalization(mean=mean, variance=variance, name="own")(x)


def _take_rgb(extractor: keras.Model) -> None:
    """Turn the first kernel's input channels round: BGR pixels give then what RGB pixels do.

    No operation is left to convert, and none to quantize.
    """
    first = next(layer for layer in extractor.layers if isinstance(layer, layers.Conv2D))
    first.kernel.assign(np.asarray(first.kernel)[:, :, ::-1, :])


def _mend_efficientnet(extractor: keras.Model) -> None:
    """Divide by the root of the deviation once more, where the weights are those of ImageNet.

    EfficientNet's were learned that way, and Keras adds a layer for it only where it downloads
    them itself (tensorflow#49930). They are told by the statistics that the file holds.
    """
    for layer in extractor.layers:
        if isinstance(layer, layers.Normalization) and layer.input_variance is None:
            variance = np.asarray(layer.adapt_variance)
            if np.allclose(variance, np.square(DEVIATION), rtol=1e-2):
                layer.adapt_variance.assign(variance * np.asarray(DEVIATION))  # a root is taken
                layer.finalize_state()


def _normalizations(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
