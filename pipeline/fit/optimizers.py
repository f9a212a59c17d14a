"""Optimizers and schedules by name, for Keras 3 and for tf_keras alike."""

from types import ModuleType
from typing import Any

from pipeline.settings import Fit

# Of the last part of a variable's name: tf_keras hands over `block/conv/kernel:0`, and a layer
# called `unbiased` is to decay as any other. `.scale` is the learned part of models/blocks'
# normalizations, which no layer of Keras has in a form that is int8 throughout.
SPARED = (r"(^|/)(bias|gamma|beta)(:\d+)?$", r"\.scale(_\d+)?/(depthwise_)?kernel(:\d+)?$")


def optimizer(settings: Fit, steps_per_epoch: int, api: ModuleType) -> Any:
    """Make the optimizer of some settings with its schedule.

    `api` is the Keras module the model belongs to. Weight decay leaves biases and normalization
    alone: it would only pull a network's scale about (Loshchilov and Hutter, 2019, sect. 4;
    Goyal et al., 2017, sect. 5.3).
    """
    rate = _learning_rate(settings, steps_per_epoch, api)
    optimizers = api.optimizers
    decay = settings.weight_decay or None
    if settings.optimizer in {"sgd", "nesterov"}:
        nesterov = settings.optimizer == "nesterov"
        made = optimizers.SGD(rate, momentum=0.9, nesterov=nesterov, weight_decay=decay)
    elif settings.optimizer == "adamw":
        made = optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    else:
        classes = {"adam": "Adam", "rmsprop": "RMSprop", "adagrad": "Adagrad"}
        made = getattr(optimizers, classes[settings.optimizer])(rate, weight_decay=decay)
    made.exclude_from_weight_decay(var_names=list(SPARED))
    return made


def _learning_rate(settings: Fit, steps_per_epoch: int, api: ModuleType) -> Any:
    """Warm-up and cosine as a function of the step; a constant rate as it is."""
    total = settings.epochs * steps_per_epoch
    warmup = min(round(settings.warmup_epochs * steps_per_epoch), total - 1)
    if settings.schedule == "constant" and not warmup:
        return settings.learning_rate
    schedules = api.optimizers.schedules
    final = 1.0 if settings.schedule == "constant" else 0.0
    if not warmup:
        return schedules.CosineDecay(settings.learning_rate, total, alpha=final)
    return schedules.CosineDecay(
        0.0, total - warmup, alpha=final, warmup_target=settings.learning_rate, warmup_steps=warmup
    )
