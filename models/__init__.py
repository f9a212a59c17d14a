"""One paper a file: a core from normalized images to class probabilities.

`MODELS["lenet5"](input_shape, classes, **options)` imports `models/lenet5.py` when it is called
for, so that listing the table costs nothing. `CHECKS` names, for networks whose options need more
than a comparison of types, a function that imports no Keras, takes the options by keyword and
raises `ConfigError`, or `IntegrityError` for a file that is not to be trusted.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.lazy import LazyTable

MODELS = LazyTable(
    "model",
    {
        "small_cnn": "models.small_cnn:small_cnn",
        "pocket_cnn": "models.pocket_cnn:pocket_cnn",
        "mlp": "models.mlp:mlp",
        "deep_mlp": "models.mlp:deep_mlp",
        "simple_cnn": "models.simple_cnn:simple_cnn",
        "cnn_dnn": "models.cnn_dnn:cnn_dnn",
        "lenet5": "models.lenet5:lenet5",
        "alexnet": "models.alexnet:alexnet",
        "vgg11": "models.vgg:vgg11",
        "vgg13": "models.vgg:vgg13",
        "vgg16": "models.vgg:vgg16",
        "vgg19": "models.vgg:vgg19",
        "nin": "models.nin:nin",
        "googlenet": "models.googlenet:googlenet",
        "resnet8": "models.resnet8:resnet8",
        "resnet18": "models.resnet:resnet18",
        "resnet34": "models.resnet:resnet34",
        "resnet50": "models.resnet:resnet50",
        "densenet121": "models.densenet:densenet121",
        "mobilenet_v1": "models.mobilenet_v1:mobilenet_v1",
        "mobilenet_v2": "models.mobilenet_v2:mobilenet_v2",
        "custom": "models.custom.network:custom",
        "backbone": "models.backbone:backbone",
        "file": "models.file:file",
    },
)

CHECKS = LazyTable(
    "check",
    {
        "custom": "models.custom.reading:check",
        "backbone": "models.applications:check",
        "file": "models.archive:check",
    },
)

# What `build.preprocess` may be, the default first. `own`: the network takes pixels 0..255.
_NORMALIZED = ("scale", "centre", "standardize")
_PREPROCESSING: Mapping[str, tuple[str, ...]] = {
    "backbone": ("own",),
    "file": (*_NORMALIZED, "own"),
}


def preprocessing(name: str) -> tuple[str, ...]:
    """Preprocessing a network can have in front of it, the default first."""
    return _PREPROCESSING.get(name, _NORMALIZED)


def is_pretrained(name: str, options: Mapping[str, Any]) -> bool:
    """Tell whether a network with these options begins with weights learned before."""
    return name == "file" or (name == "backbone" and options["weights"] != "none")
