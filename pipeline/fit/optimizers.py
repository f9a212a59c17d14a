"""Optimizers by name, for Keras 3 and for tf_keras alike."""

import inspect
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.choices import split
from pipeline.errors import ConfigError
from pipeline.fit import OPTIMIZERS
from pipeline.fit.muon import of
from pipeline.fit.rates import rate_class
from pipeline.fit.schedules import pieces
from pipeline.lazy import load, nearest
from pipeline.settings import Fit, Train

# Of the last part of a variable's name: tf_keras hands over `block/conv/kernel:0`, and a layer
# called `unbiased` is to decay as any other. `.scale` is the learned part of models/blocks'
# normalizations, which no layer of Keras has in a form that is int8 throughout.
SPARED = (r"(^|/)(bias|gamma|beta)(:\d+)?$", r"\.scale(_\d+)?/(depthwise_)?kernel(:\d+)?$")
# With Adafactor's own 1e-30, the product of a row and a column that both have no gradient (a pixel
# that is always black, a unit that is never active) is 0 in float32, and their step 0 / 0.
PRESET: dict[str, dict[str, Any]] = {
    "adafactor": {"epsilon_1": 1e-16},
    "sgd": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
}
# What the argument of an optimizer would set, and the setting that does.
OURS = {
    "learning_rate": "learning_rate",
    "relative_step": "schedule",
    "weight_decay": "weight_decay",
    "clipnorm": "clip_norm",
    "clipvalue": "clip_norm",
    "global_clipnorm": "clip_norm",
    "use_ema": "ema",
    "ema_momentum": "ema",
    "ema_overwrite_frequency": "ema",
    "gradient_accumulation_steps": "batch",
    "loss_scale_factor": None,
    "jit_compile": None,
    "name": None,
}


def optimizer(settings: Fit, steps_per_epoch: int, api: ModuleType) -> Any:
    """Make the optimizer of some settings with its schedule.

    `api` is the Keras module the model belongs to. Weight decay leaves biases and normalization
    alone: it would only pull a network's scale about (Loshchilov and Hutter, 2019, sect. 4;
    Goyal et al., 2017, sect. 5.3). Gradients are cut by their global norm (Pascanu et al., 2013).
    With `ema` the weights' average is kept beside them, in the optimizer's variables.

    Raises:
        ConfigError: the API has no such optimizer, or it does not take an argument.
    """
    name, arguments = split(settings.optimizer)
    kind = _class(name, api)
    _check_arguments(name, kind, arguments)
    rate = rate_class(api)(settings.learning_rate, pieces(settings, steps_per_epoch))
    options: dict[str, Any] = {"weight_decay": settings.weight_decay or None}
    if name == "adamw":  # which insists on one
        options["weight_decay"] = settings.weight_decay
    if isinstance(settings, Train) and settings.ema is not None:
        options |= {"use_ema": True, "ema_momentum": settings.ema, "ema_overwrite_frequency": None}
    made = kind(
        rate,
        global_clipnorm=settings.clip_norm,
        **PRESET.get(name, {}) | options | arguments,
    )
    made.exclude_from_weight_decay(var_names=list(SPARED))
    return made


def check(settings: Fit, api: ModuleType, stage: str) -> None:
    """Take a step with the optimizer of some settings, so that a wrong argument is said at once.

    Raises:
        ConfigError: names the setting of the stage and what is wrong, in one line.
    """
    try:
        sound = _first_step_is_finite(settings, api)
    except (TypeError, ValueError, ConfigError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{stage}.optimizer: {reason}") from error
    if not sound:
        at_once = settings.model_copy(update={"warmup_epochs": 0.0})
        mend = ""
        if _first_step_is_finite(at_once, api):
            mend = " at a learning rate of 0: set warmup_epochs to 0"
        name, arguments = split(settings.optimizer)
        given = f" with {arguments}" if arguments else ""
        raise ConfigError(f"{stage}.optimizer: {name}{given} makes weights no numbers{mend}")


def _first_step_is_finite(settings: Fit, api: ModuleType) -> bool:
    weights = [tf.Variable(tf.ones((2, 3)), name=name) for name in "abc"]
    made = optimizer(settings, 2, api)
    made.build(weights)
    made.apply_gradients([(tf.ones(weight.shape), weight) for weight in weights])
    return bool(np.isfinite([weight.numpy() for weight in weights]).all())


def _class(name: str, api: ModuleType) -> Any:
    reference = OPTIMIZERS.reference(name)
    module, _, kind = reference.partition(":")
    if module != "keras.optimizers":
        return of(load(reference), api)
    if not hasattr(api.optimizers, kind):
        raise ConfigError(f"{api.__name__}, which trains here, has no {name}; set another here")
    return getattr(api.optimizers, kind)


def _check_arguments(name: str, kind: Any, arguments: dict[str, Any]) -> None:
    """Refuse what the class does not take, what a setting sets, and what is of another type."""
    parameters = inspect.signature(kind).parameters
    takes = {
        key: parameter.default
        for key, parameter in parameters.items()
        if key not in OURS and parameter.kind is not parameter.VAR_KEYWORD
    }
    for argument, value in arguments.items():
        if argument in OURS:
            setting = OURS[argument]
            instead = f"it is the setting {setting}" if setting else "it is not for a recipe"
            raise ConfigError(f"{name} does not take {argument} here: {instead}")
        if argument not in takes:
            known = nearest(str(argument), takes)
            raise ConfigError(f"{name} takes no argument {argument!r}: {known}")
        wanted = type(takes[argument])
        if not (type(value) is wanted or (wanted is float and type(value) is int)):
            raise ConfigError(f"{name}: {argument} is a {wanted.__name__}, not {value!r}")
