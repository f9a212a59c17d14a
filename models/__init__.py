"""One paper a file: a core from normalized images to class probabilities.

`MODELS["lenet5"](input_shape, classes, **options)` imports `models/lenet5.py` when it is called
for, so that listing the table costs nothing. `CHECKS` names, for networks whose options need more
than a comparison of types, a function that imports no Keras, takes the options by keyword and
raises `ConfigError`.
"""

from pipeline.lazy import LazyTable

MODELS = LazyTable(
    "model",
    {
        "small_cnn": "models.small_cnn:small_cnn",
        "lenet5": "models.lenet5:lenet5",
        "custom": "models.custom.network:custom",
    },
)

CHECKS = LazyTable("check", {"custom": "models.custom.reading:check"})
