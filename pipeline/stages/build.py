"""Build: make the network with its initial weights, its preprocessing in front."""

import re
from math import prod
from pathlib import Path

import keras
import numpy as np

from models import CHECKS, MODELS, preprocessing
from models.head import ending, ending_in
from pipeline.compress.anatomy import anatomy, sketched
from pipeline.data.dataset import facts, training_split
from pipeline.data.sources import Images
from pipeline.data.statistics import channel_statistics
from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.files import save_model
from pipeline.settings import LAYERS, Build, Inputs, Metrics
from pipeline.show import figures
from pipeline.show.network import Network

MOST_WEIGHTS = 2**29  # 2 GB, the most a flatbuffer holds


def run(settings: Build, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, from pixels 0..255 to probabilities, and what it is made of.

    `summary.txt` is Keras' own, `layers.json` ours: a `Network`; `figures/network.png` draws it.
    """
    known = facts(inputs["ingest"])
    images, _ = training_split(inputs["ingest"])
    with ending_in("sigmoid" if known.get("multi_label") else "softmax"):
        if settings.model not in CHECKS:  # those look at their size themselves
            _check_size(settings, images.shape[1:], len(known["classes"]))
            session.begin(settings.seed)  # names and random numbers as if nothing had been built
        core = make_core(settings, images.shape[1:], len(known["classes"]))
    kind = settings.preprocess or preprocessing(settings.model)[0]
    model = with_preprocessing(core, kind, images)
    save_model(model, out / "model.keras")
    lines: list[str] = []
    model.summary(print_fn=lambda line, line_break=False: lines.append(line), line_length=88)
    (out / "summary.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    network = Network.model_validate(anatomy(model).facts())
    (out / LAYERS).write_text(network.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / "figures").mkdir()
    figures.save(figures.network(network), out / "figures" / "network.png")
    said = {"params": network.params, "macs": network.macs, "int8_bytes": network.int8_bytes}
    return {"model": settings.model, **said}


def _check_size(settings: Build, input_shape: tuple[int, ...], classes: int) -> None:
    """Count the weights before there is memory for them; raises `ConfigError` for too many."""
    with sketched():
        core = make_core(settings, input_shape, classes)
    count = sum(prod(weight.shape) for weight in core.weights)
    if count > MOST_WEIGHTS:
        raise ConfigError(
            f"build: {settings.model} at {input_shape}: {count:,} weights, and a .tflite file of "
            f"float32 holds {MOST_WEIGHTS:,} at most: a narrower network, or smaller pictures"
        )


def make_core(settings: Build, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Call the architecture with its options.

    Raises:
        ConfigError: it refuses them, or does not end as `models.head` asks it to.
    """
    options = settings.model_extra or {}
    try:
        core = MODELS[settings.model](input_shape, classes, **options)
        _require_ending(core, settings.model)
        return core
    except RecursionError as error:  # Keras follows a network from its end by calling itself
        raise ConfigError(
            f"build: {settings.model} at {input_shape}: too many layers one behind another"
        ) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"build: {settings.model} at {input_shape}: {_reason(error)}") from error


def _require_ending(core: keras.Model, name: str) -> None:
    """Raise `ConfigError` for a network that has softmax where a picture may show several classes.

    One that ends in `Softmax` as a layer of its own is asked to where that is what is wanted.
    """
    last = core.outputs[0]._keras_history.operation
    wanted = getattr(keras.activations, ending())
    if getattr(last, "activation", wanted) is not wanted:
        raise ConfigError(
            f"build.model: {name} ends in {last.activation.__name__}, these labels ask for "
            f"{ending()}: give its last layer activation=models.head.ending()"
        )


def _reason(error: Exception) -> str:
    """What Keras has to say, in a line: without colours, and the arguments of the call."""
    text = " ".join(
        re.sub(r"\x1b\[\d*m", "", str(error)).partition("Arguments received")[0].split()
    )
    if re.search(r"zero or negative|negative dimension", text, re.IGNORECASE):
        layer = re.search(r"(\w+)\.call\(\)", text)
        where = f" for its {layer[1]}" if layer else ""
        return f"the pictures are too small{where}: larger ones (ingest.size) or a gentler network"
    return text


def with_preprocessing(core: keras.Model, kind: str, images: Images) -> keras.Model:
    """Put pixel normalization in front of a core, in one flat graph; none for `own`.

    `scale` maps 0..255 to 0..1; `centre` does and takes off each channel's mean over `images`, the
    train split `(N, H, W, C)`; `standardize` gives each channel mean 0 and deviation 1 over it.
    Flat, since the mirror and the converter then see one list of layers.
    """
    if kind == "own":
        return core
    brought = {layer.name for layer in core.layers} & {"scale", "centre", "standardize"}
    if brought:
        raise ConfigError(
            f"build.preprocess: the network brings its own, in its layer {min(brought)!r}: set own"
        )
    pixels = keras.Input(images.shape[1:], name="images")
    if kind == "scale":
        front = keras.layers.Rescaling(1 / 255, name="scale")
    else:
        mean, variance = channel_statistics(images)
        floor = np.maximum(variance, 1.0)  # a constant channel has no deviation to divide by
        spread = floor if kind == "standardize" else np.full_like(floor, 255.0**2)
        front = keras.layers.Normalization(mean=mean.tolist(), variance=spread.tolist(), name=kind)
    probabilities = keras.Function(core.input, core.output).call(front(pixels))
    return keras.Model(pixels, probabilities, name=core.name)
