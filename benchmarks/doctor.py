"""What the quantization doctor makes of networks in which something was broken on purpose.

    python benchmarks/doctor.py        about five minutes on two cores

Networks are trained shortly on Fashion-MNIST (Debian's dataset-fashion-mnist). In each something is
planted that leaves the float32 network what it was and that int8 cannot hold; then the stage
`quantize` does what it does in every run. Writes `doctor.md` beside this file.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SHORT = ["ingest.limit=12000", "train.epochs=3", "name=doctor", "quantize.max_float_share=0.99"]
NETWORKS = {
    "small_cnn": ["build.model=small_cnn"],
    "densenet121": ["build.model=densenet121", "build.growth=8", "build.depths=[2, 3, 3, 2]"],
}
DARK, WILD, FACTOR = 5, 500.0, 3000.0


def nothing(model: Any, images: Any) -> None:
    """Leave the network as it is."""


def wild_weights(model: Any, images: Any) -> None:
    """Give each output channel of the last convolution one huge weight, on a channel always 0."""
    norm, kernel = _of(model, "BatchNormalization")[-2], _of(model, "Conv2D")[-1]
    gamma, beta, *rest = norm.get_weights()
    gamma[DARK], beta[DARK] = 0.0, -1.0  # ReLU keeps it at 0
    norm.set_weights([gamma, beta, *rest])
    weights = kernel.get_weights()
    weights[0][1, 1, DARK, :] = WILD
    kernel.set_weights(weights)


def wild_channel(model: Any, images: Any) -> None:
    """Make one channel huge before the last convolution, which makes up for it."""
    norm, kernel = _of(model, "BatchNormalization")[-2], _of(model, "Conv2D")[-1]
    gamma, beta, *rest = norm.get_weights()
    gamma[DARK], beta[DARK] = FACTOR * gamma[DARK], FACTOR * beta[DARK]
    norm.set_weights([gamma, beta, *rest])
    weights = kernel.get_weights()
    weights[0][:, :, DARK, :] /= FACTOR
    kernel.set_weights(weights)


def wild_feature(model: Any, images: Any) -> None:
    """Make one channel of a dense block huge; the normalizations behind it are taken anew."""
    from pipeline.data.batches import plain_batches
    from pipeline.fit.normalization import settle

    kernel = next(one for one in _of(model, "Conv2D") if one.name == "conv2d_2")
    weights = kernel.get_weights()
    for one in weights:
        one[..., 0] *= FACTOR
    kernel.set_weights(weights)
    settle(model, lambda: plain_batches((images[:4000], images[:4000, 0, 0, 0] * 0), 128))


CASES: tuple[tuple[str, str, Callable[[Any, Any], None]], ...] = (
    ("small_cnn", "nothing", nothing),
    ("small_cnn", "wild weights in the last convolution", wild_weights),
    ("small_cnn", "a wild channel before it", wild_channel),
    ("densenet121", "nothing", nothing),
    ("densenet121", "a wild feature that dense blocks share", wild_feature),
)


def _of(model: Any, kind: str) -> list[Any]:
    return [one for one in model._flatten_layers() if type(one).__name__ == kind]


def examined(entries: Any, plant: Callable[[Any, Any], None], folder: Path) -> dict[str, Any]:
    """Plant something in a trained network, quantize it, and return what the doctor found."""
    from pipeline.data.dataset import training_split
    from pipeline.fit import session
    from pipeline.fit.files import load_model, save_model
    from pipeline.settings import Quantize
    from pipeline.stages import quantize

    session.begin(0)
    model = load_model(entries["train"].folder / "model.keras")
    plant(model, training_split(entries["ingest"].folder)[0])
    save_model(model, folder / "model.keras")
    started = time.monotonic()
    inputs = {"ingest": entries["ingest"].folder, "candidate": folder}
    quantize.run(Quantize(format="int8", max_float_share=0.99), inputs, folder)
    found: dict[str, Any] = json.loads((folder / "doctor.json").read_text())
    return found | {"seconds": time.monotonic() - started}


def row(network: str, planted: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    plain, shipped = found["trials"][0], found["trials"][found["shipped"]]
    worst = min(
        (one for one in found["operations"] if one["alone_db"] is not None),
        key=lambda one: one["alone_db"],
        default=None,
    )
    named = f"`{worst['layer']}` ({worst['cause']})" if worst else ""
    return (
        f"| `{network}` | {planted} | {100 * found['accuracy']:.2f} % | {plain['drop_pp']:.2f} | "
        f"{named} | {shipped['in_float']} of {len(found['operations'])} | "
        f"{100 * shipped['float_share']:.0f} % | {shipped['drop_pp']:.2f} | "
        f"{plain['bytes'] / 1000:.1f} → {shipped['bytes'] / 1000:.1f} kB | "
        f"{len(found['trials'])} | {found['seconds']:.0f} s |"
    )


def main() -> None:
    """Train, plant, examine; print and write the table."""
    from pipeline import Config, run

    lines = [
        f"`python benchmarks/doctor.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}: Fashion-MNIST, 12,000 training pictures, 3 "
        "epochs. Points of validation accuracy lost to int8, of which 1 may be lost; at most 99 % "
        "of the multiply-accumulates may stay in float32.",
        "",
        "| network | planted | float32 | int8 loses | the worst | in float32 | share | loses then "
        "| bytes | files tried | time |",
        "|---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    with tempfile.TemporaryDirectory() as name:
        entries = {
            network: run(
                Config.load(
                    ROOT / "configs" / "fashion_mnist.yaml",
                    overrides=[*SHORT, *words, "variants=[float32]"],
                ),
                artifacts=Path(name) / network,
                until="train",
            ).entries
            for network, words in NETWORKS.items()
        }
        for number, (network, planted, plant) in enumerate(CASES):
            folder = Path(name) / str(number)
            folder.mkdir()
            lines.append(row(network, planted, examined(entries[network], plant, folder)))
            print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "doctor.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
