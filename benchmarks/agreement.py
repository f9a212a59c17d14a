"""Does a quantization-aware model answer as its file does? Family by family.

    python benchmarks/agreement.py                    some 40 minutes on two cores
    python benchmarks/agreement.py resnet8 googlenet  some networks only

Each network is trained shortly on Fashion-MNIST, trained on as its int8 file computes, converted,
and both are asked about 2,000 validation pictures. They end in scores instead of probabilities, so
that no softmax hides a difference. Writes `agreement.md` beside this file.
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

from models import MODELS  # noqa: E402
from pipeline.compress.aware import calibrate, quantization_aware, settle  # noqa: E402
from pipeline.compress.formats import rounded  # noqa: E402
from pipeline.config import Config  # noqa: E402
from pipeline.data.dataset import (  # noqa: E402
    training_sample,
    training_split,
    validation_split,
)
from pipeline.engine import run  # noqa: E402
from pipeline.errors import ConversionError  # noqa: E402
from pipeline.fit import session  # noqa: E402
from pipeline.measure.closeness import closeness  # noqa: E402
from pipeline.measure.flatbuffer import inspect  # noqa: E402
from pipeline.measure.litert import LiteRT  # noqa: E402

PICTURES, TRAINED, CALIBRATED, BATCH = 2000, 6000, 256, 64
SAME = 0.995  # share of equal answers, near ties left out
WHY = (
    "Where they differ: model and file multiply in another order, so that two of a million values "
    "come out of an operation on the other side of a rounding. What follows makes more of them, in "
    "`mobilenet_v2` (digits, value by value) 1.6 times as many at each operation: none in the "
    "first three, 1 of 1,000 after sixteen, 1 of 20 after forty, and no more from there on. Such a "
    "network is as far from its file as two roundings of one network are from each other."
)


@dataclass(frozen=True)
class Network:
    """A network, the family it stands for, and the most that model and file may differ (RMS)."""

    name: str
    family: str
    most: float | None = 0.015
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 2

    def build(self) -> keras.Model:
        """From pixels `(B, 28, 28, 1)` to scores `(B, 10)`."""
        pixels = keras.Input((28, 28, 1))
        if self.name in MODELS:
            core = MODELS[self.name]((28, 28, 1), 10, **self.options)
            x = keras.layers.Rescaling(1 / 255)(pixels)
        else:  # of keras.applications, which want 32x32
            core = MODELS["backbone"]((32, 32, 1), 10, network=self.name, weights="none")
            x = keras.layers.ZeroPadding2D(2)(pixels)
        core.layers[-1].activation = keras.activations.linear
        return keras.Model(pixels, core(x), name=self.name.lower())


NETWORKS = (
    Network("small_cnn", "plain"),
    Network("pocket_cnn", "plain"),
    Network("lenet5", "plain, sigmoid", epochs=6),
    Network("mlp", "plain, dense"),
    Network("resnet8", "residual"),
    Network("resnet18", "residual", options={"width": 0.25}),
    Network("mobilenet_v1", "depthwise", options={"width": 0.25}, epochs=4),
    Network("mobilenet_v2", "depthwise", options={"width": 0.5}, epochs=8),
    Network("googlenet", "Inception", 0.01, {"width": 0.25, "normalization": "batch"}),
    Network("densenet121", "DenseNet", 0.035, {"growth": 12, "depths": (3, 4, 4, 3)}),
    Network("ResNet50V2", "pre-activation", None),
    Network("MobileNetV3Small", "squeeze-excite", None, epochs=4),
    Network("EfficientNetB0", "squeeze-excite", None, epochs=4),
    Network("ConvNeXtTiny", "layer normalization", None),
)


def train(model: keras.Model, images: Any, labels: Any, epochs: int, rate: float) -> None:
    """Fit for some epochs with Adam at a falling rate."""
    steps = epochs * -(-len(images) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss=loss, metrics=["accuracy"])
    model.fit(images.astype(np.float32), labels, batch_size=BATCH, epochs=epochs, verbose=0)


def compare(network: Network, ingest: Path, folder: Path) -> str:
    """Train, convert, ask both; the row of the table."""
    session.begin(0)
    pictures, truth = (np.asarray(part[:PICTURES]) for part in validation_split(ingest))
    learned = [np.asarray(part[:TRAINED]) for part in training_split(ingest)]
    model = network.build()
    try:
        quantization_aware(model)
    except ConversionError as error:
        return f"| `{network.name}` | {network.family} | refused: {error} {'| ' * 8}|"
    train(model, *learned, network.epochs, 2e-3)
    aware = quantization_aware(model)
    calibrate(aware, training_sample(ingest, CALIBRATED, 0))
    train(aware, *learned, 1, 2e-4)
    settle(aware)
    path = folder / f"{network.name}.tflite"
    path.write_bytes(rounded(aware, "uint8"))
    answers = aware.predict(pictures.astype(np.float32), verbose=0)
    file = LiteRT(path).predict(pictures)
    close = closeness(answers, file, step(path))
    before = model.predict(pictures.astype(np.float32), verbose=0)
    facts = inspect(path)
    limit = network.most
    met = close.agreement >= SAME and (limit is None or close.rms <= limit)
    cells = [
        f"`{network.name}`",
        network.family,
        *(f"{100 * float((one.argmax(1) == truth).mean()):.2f}" for one in (before, answers, file)),
        f"{close.rms:.4f}",
        "" if limit is None else f"<= {limit}",
        f"{100 * close.agreement:.2f} %",
        f"{close.ties}",
        f"{facts.ops['int8']} of {sum(facts.ops.values())}",
        "yes" if met else "**no**",
    ]
    return f"| {' | '.join(cells)} |"


def step(path: Path) -> float:
    """The scale of a file's scores, which it gives as numbers of that step."""
    interpreter = Interpreter(str(path))
    last = interpreter.get_output_details()[0]["index"]
    before = next(op for op in interpreter._get_ops_details() if last in op["outputs"])["inputs"][0]
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    return float(details[before]["quantization"][0])


def main() -> None:
    """Compare, print and write the table."""
    chosen = [one for one in NETWORKS if one.name in sys.argv[1:] or not sys.argv[1:]]
    lines = [
        f"`python benchmarks/agreement.py`, {time.strftime('%Y-%m-%d', time.gmtime())}: "
        f"{TRAINED:,} training pictures of Fashion-MNIST, {PICTURES:,} of validation; accuracies "
        "in percent. RMS: of the differences of scores between the quantization-aware model and "
        "its file, over the scores' standard deviation. Same: first class alike, of pictures that "
        f"are no near tie; floor {SAME:.1%}.",
        "",
        "| network | family | float32 | trained as int8 | its file | RMS | floor | same "
        "| near ties | int8 operations | met |",
        f"|---|---|{'--:|' * 8}---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        words = ["ingest.dataset=idx", "ingest.limit=20000", "ingest.validation=0.2"]
        made = run(Config.load(overrides=words), artifacts=folder, until="ingest", quiet=True)
        for network in chosen:
            line = compare(network, made.entries["ingest"].folder, Path(folder))
            print(line, flush=True)
            lines.append(line)
    if len(chosen) == len(NETWORKS):
        text = "\n".join([*lines, "", WHY]) + "\n"
        (ROOT / "benchmarks" / "agreement.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
