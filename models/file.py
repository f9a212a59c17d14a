"""File: a Keras model of one's own making, as it was saved."""

import re
import shutil
import tempfile
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import keras

from models.archive import WEIGHTS, inspect
from models.flat import laid_over
from models.head import ending
from models.outside import place
from models.weights import check_weights_file
from pipeline.errors import ConfigError, IntegrityError

NAME = re.compile(r"[A-Za-z0-9_.\\/>-]+")  # what TensorFlow takes as a scope
OURS = ("images", "probabilities")


def file(
    input_shape: tuple[int, int, int],
    classes: int,
    path: str = "",
    head: Literal["keep", "new"] = "keep",
) -> keras.Model:
    """A `.keras` file of one's own, of built-in layers; its weights are the initial ones.

    Maps what `build.preprocess` gives, or with `own` pixels 0..255, `(B, H, W, C)`, to class
    probabilities `(B, classes)`. One input of that shape, its sides may be open; one output that
    ends in softmax, or in sigmoid where pictures may show several classes. Models inside it are
    taken apart into one flat graph, and its output layer is called `probabilities`; with a `new`
    head it is one with initial weights, for other classes. The file is loaded from a copy, in safe
    mode, after a look inside.

    Raises:
        ConfigError: its input or output does not fit the pictures; says both shapes.
        IntegrityError: it holds more than built-in layers and numbers, or is damaged.
    """
    where = f"build.path: {path}"
    model = _load(place(path), where)
    _check_ends(model, input_shape, classes if head == "keep" else None, where)
    last = model.outputs[0]._keras_history.operation
    while isinstance(last, keras.Model):
        last = last.outputs[0]._keras_history.operation
    inner = [layer for layer in model._flatten_layers(include_self=False) if layer is not last]
    taken = {x.name for x in inner if not isinstance(x, keras.layers.InputLayer)} & {*OURS}
    if taken:
        raise ConfigError(f"{where} has a layer called {min(taken)!r}, as one of ours: rename it")
    images = keras.Input(input_shape, name="images")
    made = _renamed(last, where) if head == "keep" else _new_head(last, classes, where)
    output = laid_over(model, images, {last: made})
    if tuple(output.shape) != (None, classes):
        raise ConfigError(f"{where} gives {_shown(output.shape)}, {classes} classes are wanted")
    flat = keras.Model(images, output, name="file")
    for layer in flat.layers:
        if not NAME.fullmatch(layer.name):
            raise ConfigError(
                f"{where} has a layer called {layer.name[:60]!r}, which TensorFlow cannot run: "
                "rename it, to letters, digits and any of _ . -"
            )
        if getattr(layer, "compute_dtype", "float32") in {"float16", "bfloat16", "float64"}:
            raise ConfigError(
                f"{where} computes {layer.name!r} in {layer.compute_dtype}, which cannot be "
                "converted: build it anew in float32, set its weights and save that"
            )
    return flat


def _load(path: Path, where: str) -> keras.Model:
    """Copy the file, look at the copy, and load that: no one can change it in between."""
    with tempfile.TemporaryDirectory(prefix="pix2pocket-") as folder:
        copy = Path(folder) / "model.keras"
        shutil.copyfile(path, copy)
        inspect(copy)
        try:
            with zipfile.ZipFile(copy) as archive:
                weights = archive.read(WEIGHTS)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise IntegrityError(f"{where} is damaged: {error}; save it anew") from error
        check_weights_file(BytesIO(weights), len(weights), where)
        try:
            return keras.saving.load_model(copy, compile=False, safe_mode=True)
        except Exception as error:  # what a strange description makes Keras raise is anything
            reason = " ".join(str(error).split())[:200]
            raise IntegrityError(f"{where} cannot be loaded by Keras: {reason}") from error


def _check_ends(model: Any, input_shape: tuple[int, ...], classes: int | None, where: str) -> None:
    """Compare the one input and the one output with the pictures and their classes, if given."""
    if isinstance(model, keras.Sequential) and not model.built:
        raise ConfigError(
            f"{where} was saved before it had an input: begin it with keras.Input((H, W, C)) and "
            "save it again"
        )
    if not model.built or len(model.inputs) != 1 or len(model.outputs) != 1:
        counts = f"{len(model.inputs or ())} inputs and {len(model.outputs or ())} outputs"
        raise ConfigError(f"{where} has {counts}; one of each is wanted")
    takes, gives = tuple(model.inputs[0].shape), tuple(model.outputs[0].shape)
    fits = len(takes) == 4 and all(
        side in {None, wanted} for side, wanted in zip(takes[1:], input_shape, strict=True)
    )
    if not fits:
        raise ConfigError(
            f"{where} takes {_shown(takes)}, the pictures are {_shown((None, *input_shape))}: "
            "set ingest.size and ingest.color as it wants them"
        )
    if classes is not None and (len(gives) != 2 or gives[1] != classes):
        raise ConfigError(
            f"{where} gives {_shown(gives)}, {classes} classes want {_shown((None, classes))}: "
            "give it an output layer of so many units, or have one made: build.head=new"
        )


def _renamed(last: Any, where: str) -> Any:
    """Return the output layer once more, called `probabilities`, with its weights."""
    wanted = ending()
    fits = (wanted == "softmax" and isinstance(last, keras.layers.Softmax)) or (
        isinstance(last, keras.layers.Dense | keras.layers.Activation)
        and last.activation is getattr(keras.activations, wanted)
    )
    if not fits:
        several = "a picture may show several classes, and " * (wanted == "sigmoid")
        raise ConfigError(
            f"{several}{where} does not end in {wanted} but in {last.name!r} "
            f'({type(last).__name__}): give its output layer activation="{wanted}" and save it '
            f"again{', or set build.head=new' * (wanted == 'sigmoid')}"
        )
    if getattr(last, "axis", -1) not in {-1, 1}:  # those of a whole batch would be mixed
        raise ConfigError(f"{where} ends in a softmax over axis {last.axis}: it has to be -1")
    twin = type(last).from_config(last.get_config() | {"name": "probabilities"})
    if last.weights:
        twin.build(last.input.shape)
        twin.set_weights(last.get_weights())
    return twin


def _new_head(last: Any, classes: int, where: str) -> Any:
    """Return a dense output layer with initial weights in place of another."""
    if not isinstance(last, keras.layers.Dense):
        raise ConfigError(
            f"{where} ends in {last.name!r} ({type(last).__name__}), and build.head=new replaces a "
            "dense output layer: save it with one"
        )
    return keras.layers.Dense(classes, activation=ending(), name="probabilities")


def _shown(shape: tuple[int | None, ...]) -> str:
    """A shape as people write it: `(B, 28, 28, 1)`, `?` for an open side."""
    return f"(B, {', '.join('?' if side is None else str(side) for side in shape[1:])})"
