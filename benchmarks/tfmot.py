"""The same steps by hand: bare tfmot on a network written in tf_keras, and ours on Keras 3.

    python benchmarks/tfmot.py        some 15 minutes on two cores

The three networks of `benchmarks/reference`: once written out in tf_keras with their weights, and
wrapped, tuned, stripped and converted as tfmot's guides do it; once as they are, by this project's
functions. Both tune on the same 20,000 training pictures in the same order with the same optimizer,
and are read on the 10,000 test pictures. Writes `tfmot.md` beside this file.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from pipeline.compress.aware import calibrate, quantization_aware, settle  # noqa: E402
from pipeline.compress.formats import int8, rounded  # noqa: E402
from pipeline.compress.kernels import allotted, prunable  # noqa: E402
from pipeline.compress.legacy import tf_keras  # noqa: E402
from pipeline.compress.legacy.door import tfmot  # noqa: E402
from pipeline.compress.legacy.pruning import prune  # noqa: E402
from pipeline.compress.schedule import Ramp  # noqa: E402
from pipeline.config import Config  # noqa: E402
from pipeline.data.dataset import test_split, training_split  # noqa: E402
from pipeline.engine import run  # noqa: E402
from pipeline.fit.files import load_model  # noqa: E402
from pipeline.measure.closeness import closeness  # noqa: E402
from pipeline.measure.flatbuffer import inspect  # noqa: E402
from pipeline.measure.litert import LiteRT  # noqa: E402
from pipeline.measure.statistics import accuracy  # noqa: E402

HERE = ROOT / "benchmarks"
SEEDS, PICTURES, BATCH, CALIBRATED = (0, 1, 2), 20_000, 128, 256
SPARSITY, PRUNED_EPOCHS, PRUNED_RATE = 0.8, 4, 1e-3
ROUNDED_EPOCHS, ROUNDED_RATE = 2, 1e-4
STEPS = -(-PICTURES // BATCH)
RAMP = Ramp.over(PRUNED_EPOCHS * STEPS, SPARSITY, end=0.5)


@dataclass(frozen=True)
class Made:
    """A network that was shrunk, what it is fed with, and its file."""

    model: Any
    fed: Callable[[Any], Any]
    flatbuffer: bytes


def by_hand(reference: keras.Model) -> Any:
    """`fashion_mnist_100k` in tf_keras, from standardized pixels, with the reference's weights."""
    layers = tf_keras.layers
    images = x = tf_keras.Input((28, 28, 1))
    x = layers.ReLU()(layers.Conv2D(16, 3, padding="same")(x))
    for width in (32, 48, 53):
        for pool in (True, False):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
            if pool:
                x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = tf_keras.Model(images, x)
    skipped = keras.layers.Normalization
    given = [one for one in reference.layers if one.weights and not isinstance(one, skipped)]
    for source, target in zip(given, (one for one in model.layers if one.weights), strict=True):
        target.set_weights(source.get_weights())
    return model


def fit(
    model: Any, api: ModuleType, fed: Any, labels: Any, epochs: int, rate: float, also: Any = ()
) -> None:
    """Tune a model of `api`: the same batches, in the same order, for all."""
    api.utils.set_random_seed(1)
    schedule = api.optimizers.schedules.CosineDecay(rate, epochs * STEPS)
    adam = api.optimizers.Adam(schedule)
    model.compile(optimizer=adam, loss="sparse_categorical_crossentropy")
    options = {"batch_size": BATCH, "epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(fed, labels, callbacks=list(also), **options)


def convert(model: Any, sample: Any | None) -> bytes:
    """Convert as the guides do; ranges from `sample`, or those the model has learned."""
    function = tf.function(lambda images: model(images, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, 28, 28, 1), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if sample is not None:
        converter.representative_dataset = lambda: ([one[None]] for one in sample)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


def bare(reference: keras.Model, images: Any, labels: Any) -> Iterator[tuple[str, Made]]:
    """The steps with nothing but tfmot."""
    front = next(one for one in reference.layers if isinstance(one, keras.layers.Normalization))

    def fed(pixels: Any) -> Any:
        return np.asarray(front(pixels.astype(np.float32)))

    given, sparsity = fed(images), tfmot.sparsity.keras
    model = by_hand(reference)
    ends = {model.layers[1].name, model.layers[-1].name}
    ramp = sparsity.PolynomialDecay(0.0, SPARSITY, RAMP.begin_step, RAMP.end_step, frequency=RAMP.frequency)  # fmt: skip  # noqa: E501

    def wrap(layer: Any) -> Any:
        pruned = isinstance(layer, tf_keras.layers.Conv2D) and layer.name not in ends
        return sparsity.prune_low_magnitude(layer, ramp) if pruned else layer

    wrapped = tf_keras.models.clone_model(model, clone_function=wrap)
    also = [sparsity.UpdatePruningStep()]
    fit(wrapped, tf_keras, given, labels, PRUNED_EPOCHS, PRUNED_RATE, also)
    stripped = sparsity.strip_pruning(wrapped)
    yield "prune+int8", Made(stripped, fed, convert(stripped, given[:CALIBRATED]))
    aware = tfmot.quantization.keras.quantize_model(by_hand(reference))
    fit(aware, tf_keras, given, labels, ROUNDED_EPOCHS, ROUNDED_RATE)
    yield "qat", Made(aware, fed, convert(aware, None))


def ours(reference: keras.Model, images: Any, labels: Any) -> Iterator[tuple[str, Made]]:
    """The same steps by this project."""

    def fed(pixels: Any) -> Any:
        return pixels.astype(np.float32)

    given, sample = fed(images), images[:CALIBRATED]
    names = list(prunable(reference))
    pruned = prune(
        reference,
        lambda model, api, callbacks: fit(
            model, api, given, labels, PRUNED_EPOCHS, PRUNED_RATE, callbacks
        ),
        RAMP,
        given[:32],
        allotted(names, SPARSITY, {}, ("first", "last")),
    )
    yield "prune+int8", Made(pruned.model, fed, int8(pruned.model, sample, "uint8"))
    aware = quantization_aware(reference)
    calibrate(aware, sample)
    fit(aware, keras, given, labels, ROUNDED_EPOCHS, ROUNDED_RATE)
    settle(aware)
    yield "qat", Made(aware, fed, rounded(aware, "uint8"))


def measure(made: Made, test: tuple[Any, Any], folder: Path) -> dict[str, float]:
    """Accuracy in percent of a file, its zeros, and how alike the model answers."""
    images, labels = test
    path = folder / "model.tflite"
    path.write_bytes(made.flatbuffer)
    if inspect(path).inputs[0].dtype == "uint8":
        said = LiteRT(path).predict(images)
    else:
        said = run_float(path, made.fed(images))
    model = made.model.predict(made.fed(images), batch_size=256, verbose=0)
    kernels = [one for one in inspect(path).weights if len(one.shape) > 1]
    close = closeness(model, said, 1 / 256)
    return {
        "accuracy": 100 * accuracy(said, labels),
        "zeros": 100 * sum(one.zeros for one in kernels) / sum(one.elements for one in kernels),
        "rms": close.rms,
        "agreement": 100 * close.agreement,
    }


def run_float(path: Path, images: Any) -> Any:
    """Answers of a file that takes floats, `(N, classes)`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    rows = []
    for image in images:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target)[0])
    return np.asarray(rows)


def spread(values: list[float]) -> str:
    """Mean and sample standard deviation."""
    return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f}"


def main() -> None:
    """Make, measure, print and write the table."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = ROOT / "configs" / "fashion_mnist_100k.yaml"
        made = run(Config.load(recipe), artifacts=folder, until="ingest", quiet=True)
        ingest = made.entries["ingest"].folder
        images, labels = (np.asarray(part[:PICTURES]) for part in training_split(ingest))
        for seed in SEEDS:
            for who, steps in (("tfmot by hand", bare), ("ours", ours)):
                reference = load_model(HERE / "reference" / f"fashion_mnist_100k-seed{seed}.keras")
                for step, one in steps(reference, images, labels):
                    facts = measure(one, test_split(ingest), folder)
                    print(seed, who, step, facts, flush=True)
                    found.setdefault((step, who), []).append(facts)
    lines = [
        f"`python benchmarks/tfmot.py`, {time.strftime('%Y-%m-%d', time.gmtime())}: the networks "
        f"of [`reference`](reference/README.md) tuned on {PICTURES:,} pictures without "
        f"augmentation (pruning {PRUNED_EPOCHS} epochs to {SPARSITY:.0%} of all kernels but two, "
        f"quantization-aware training {ROUNDED_EPOCHS}; Adam, {BATCH} pictures a step), int8 files "
        "on the 10,000 test pictures: percent, mean ± sample standard deviation of three seeds. "
        "RMS and same: how alike the tuned model and its file answer.",
        "",
        "| step | by | accuracy | zeros in kernels | RMS | same answer |",
        f"|---|---|{'--:|' * 4}",
    ]
    for (step, who), rows in found.items():
        cells = [
            f"`{step}`",
            who,
            spread([row["accuracy"] for row in rows]),
            f"{statistics.fmean(row['zeros'] for row in rows):.2f} %",
            f"{statistics.fmean(row['rms'] for row in rows):.4f}",
            f"{statistics.fmean(row['agreement'] for row in rows):.2f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n"
    (HERE / "tfmot.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
