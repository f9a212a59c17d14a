"""The one training loop every stage that trains uses. The table here costs nothing to read."""

from pipeline.lazy import LazyTable

OPTIMIZERS = LazyTable(
    "optimizer",
    {
        "sgd": "keras.optimizers:SGD",
        "nesterov": "keras.optimizers:SGD",
        "rmsprop": "keras.optimizers:RMSprop",
        "adagrad": "keras.optimizers:Adagrad",
        "adadelta": "keras.optimizers:Adadelta",
        "adam": "keras.optimizers:Adam",
        "adamw": "keras.optimizers:AdamW",
        "adamax": "keras.optimizers:Adamax",
        "nadam": "keras.optimizers:Nadam",
        "lion": "keras.optimizers:Lion",
        "adafactor": "keras.optimizers:Adafactor",
        "ftrl": "keras.optimizers:Ftrl",
        "lamb": "keras.optimizers:Lamb",
        "muon": "pipeline.fit.muon:Muon",
    },
)
