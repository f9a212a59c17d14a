"""The networks of `keras.applications`: what each wants of its pixels, and the least it sees."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.outside import require_hdf5
from pipeline.errors import ConfigError
from pipeline.lazy import nearest

CHANNELS = (1, 3)


@dataclass(frozen=True)
class Application:
    """`module` is the one of `keras.applications` with the function that prepares its pixels.

    `pixels` says what that function does: `tf` maps 0..255 to -1..1; `torch` to 0..1, then by
    channel to mean 0 and deviation 1 over ImageNet; `caffe` turns RGB to BGR and takes off the
    means; `built_in` does nothing, since the network begins with layers that do. `smallest` is a
    side in pixels. `widths` are the `alpha` that come with ImageNet weights: none, no `alpha`.
    """

    module: str
    pixels: str
    smallest: int = 32
    widths: tuple[float, ...] = ()


_WIDE_V2 = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_CONVNEXT = Application("convnext", "built_in")
_DENSENET = Application("densenet", "torch")
_EFFICIENTNET = Application("efficientnet", "built_in")
_EFFICIENTNET_V2 = Application("efficientnet_v2", "built_in")
_MOBILENET_V3 = Application("mobilenet_v3", "built_in", widths=(0.75, 1.0))
_NASNET = Application("nasnet", "tf")
_RESNET = Application("resnet", "caffe")
_RESNET_V2 = Application("resnet_v2", "tf")

APPLICATIONS: Mapping[str, Application] = {
    **{f"ConvNeXt{size}": _CONVNEXT for size in ("Tiny", "Small", "Base", "Large", "XLarge")},
    **{f"DenseNet{depth}": _DENSENET for depth in (121, 169, 201)},
    **{f"EfficientNetB{number}": _EFFICIENTNET for number in range(8)},
    **{f"EfficientNetV2B{number}": _EFFICIENTNET_V2 for number in range(4)},
    **{f"EfficientNetV2{size}": _EFFICIENTNET_V2 for size in ("S", "M", "L")},
    "InceptionResNetV2": Application("inception_resnet_v2", "tf", smallest=75),
    "InceptionV3": Application("inception_v3", "tf", smallest=75),
    "MobileNet": Application("mobilenet", "tf", widths=(0.25, 0.5, 0.75, 1.0)),
    "MobileNetV2": Application("mobilenet_v2", "tf", widths=_WIDE_V2),
    "MobileNetV3Large": _MOBILENET_V3,
    "MobileNetV3Small": _MOBILENET_V3,
    "NASNetLarge": _NASNET,
    "NASNetMobile": _NASNET,
    **{f"ResNet{depth}": _RESNET for depth in (50, 101, 152)},
    **{f"ResNet{depth}V2": _RESNET_V2 for depth in (50, 101, 152)},
    "VGG16": Application("vgg16", "caffe"),
    "VGG19": Application("vgg19", "caffe"),
    "Xception": Application("xception", "tf", smallest=71),
}


def check(network: str, weights: str, alpha: float, dropout: float) -> None:
    """Refuse options of `backbone` that cannot work, before Keras is imported.

    Raises:
        ConfigError: naming the option, and what it takes.
        IntegrityError: `weights` is a file, and no HDF5.
    """
    if network not in APPLICATIONS:
        known = nearest(network, APPLICATIONS)
        raise ConfigError(f"build.network: unknown network {network!r}: {known}")
    widths = APPLICATIONS[network].widths
    if not widths and alpha != 1:
        raise ConfigError(f"build.alpha: {network} comes in one width, 1.0, not {alpha:g}")
    if weights == "imagenet" and widths and alpha not in widths:
        known = ", ".join(map(str, widths))
        raise ConfigError(
            f"build.alpha: weights of {network} on ImageNet are there for {known}, not {alpha:g}; "
            "others with build.weights=none"
        )
    if not 0 < alpha <= 4:
        raise ConfigError(f"build.alpha: a multiplier above 0 and up to 4, not {alpha:g}")
    if not 0 <= dropout < 1:
        raise ConfigError(f"build.dropout: a share from 0 to below 1, not {dropout:g}")
    if weights not in {"imagenet", "none"}:
        require_hdf5(weights)


def check_pictures(network: str, input_shape: tuple[int, ...]) -> None:
    """Refuse pictures `(H, W, C)` a network cannot take; raises `ConfigError`."""
    smallest = APPLICATIONS[network].smallest
    height, width, channels = input_shape
    if min(height, width) < smallest:
        raise ConfigError(
            f"build.network: {network} wants pictures of {smallest}x{smallest} or more, these are "
            f"{height}x{width}: set ingest.size={smallest} or larger, or choose another network"
        )
    if channels not in CHANNELS:
        raise ConfigError(
            f"build.network: {network} takes pictures of 1 or 3 channels, not {channels}: "
            "set ingest.color"
        )
