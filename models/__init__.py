"""One architecture a file: a core from normalized images to class probabilities.

`MODELS["lenet5"](input_shape, classes, **options)` imports `models/lenet5.py` when it is called
for, so that listing the table costs nothing.
"""

from pipeline.lazy import LazyTable

MODELS = LazyTable(
    "model",
    {
        "small_cnn": "models.small_cnn:small_cnn",
        "lenet5": "models.lenet5:lenet5",
    },
)
