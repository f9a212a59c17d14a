"""Training input from memory-mapped arrays, against the same pictures held in memory.

    python -m benchmarks.input_pipeline         about eight minutes; needs Fashion-MNIST's IDX files

Three contestants take turns in rounds: `training_batches` on mapped files, with the augmentation
`none`; tf.data as its guide writes it, `from_tensor_slices`, shuffled whole; and a permutation
gathered from a tensor in memory, which is quicker. Every picture comes as float32, in batches. A
round is so many whole epochs, begun afresh, that it lasts two seconds or so. What is compared is
the ratio within each round, by wall clock and by CPU seconds of all threads: the latter is what is
left to a network that trains beside, and hardly feels what else the machine does.
"""

import functools
import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from pipeline.data.augmentation import augmenter, complete
from pipeline.data.batches import LARGE, steps, training_batches
from pipeline.data.sources import Images, Labels

ROOT = Path(__file__).resolve().parent.parent
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
SIZES = ((8, 1, 60_000), (28, 1, 60_000), (96, 3, 6_000), (224, 3, 2_000), (224, 3, 6_000))
BATCHES = (32, 128)
ROUNDS, SECONDS = 7, 2.0
FLOOR = 0.9

Split = tuple[Images, Labels]


def pictures(size: int, channels: int, count: int) -> Images:
    """Fashion-MNIST at a size, `(count, size, size, channels)`: thinned out, or tiled."""
    with gzip.open(FASHION) as stream:
        raw = np.frombuffer(stream.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)[:count]
    if size < 28:
        return np.ascontiguousarray(raw[:, 4:28:3, 4:28:3])
    times = -(-size // 28)
    made = np.empty((count, size, size, channels), np.uint8)
    for number, picture in enumerate(raw):
        made[number] = np.tile(picture, (times, times, channels))[:size, :size]
    return made


def ours(mapped: Split, batch: int) -> tf.data.Dataset:
    """The input of stage `train`, from mapped files."""
    return training_batches(mapped, batch, 0, augmenter(complete("none")))


def to_float(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cast as every contestant does."""
    return tf.cast(images, tf.float32), labels


def slices(split: Split, batch: int) -> tf.data.Dataset:
    """The usual way: slices of arrays in memory through a shuffle buffer as large as they are."""
    pairs = tf.data.Dataset.from_tensor_slices(split)
    shuffled = pairs.shuffle(len(split[1]), reshuffle_each_iteration=True)
    return shuffled.batch(batch).map(to_float).prefetch(tf.data.AUTOTUNE).repeat()


def gathered(split: Split, batch: int) -> tf.data.Dataset:
    """A quicker way: permuted numbers in batches, and a gather from a tensor in memory."""
    images, labels = map(tf.constant, split)
    numbers = tf.data.Dataset.range(1).flat_map(
        lambda _: tf.data.Dataset.from_tensor_slices(tf.random.shuffle(tf.range(len(labels))))
    )
    made = numbers.batch(batch).map(
        lambda rows: to_float(tf.gather(images, rows), tf.gather(labels, rows)), tf.data.AUTOTUNE
    )
    return made.prefetch(tf.data.AUTOTUNE).repeat()


@functools.cache
def consumer() -> Callable[[tf.data.Iterator, tf.Tensor], tf.Tensor]:
    """Take so many batches inside one graph, as `fit` does; a Python loop would cost as much."""

    @tf.function(reduce_retracing=True)
    def take(batches: tf.data.Iterator, number: tf.Tensor) -> tf.Tensor:
        seen = tf.constant(0)
        for _ in tf.range(number):
            images, _labels = next(batches)
            seen += tf.shape(images)[0]
        return seen

    return take


def cost(batches: tf.data.Dataset, number: int) -> tuple[float, float]:
    """Wall and CPU seconds of so many batches, the iterator's start among them."""
    wall, cpu = time.perf_counter(), time.process_time()
    consumer()(iter(batches), tf.constant(number))
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(in_memory: Split, mapped: Split, batch: int) -> list[list[tuple[float, float]]]:
    """Images a second of wall clock and of CPU: a list of rounds for each contestant."""
    contestants = [ours(mapped, batch), slices(in_memory, batch), gathered(in_memory, batch)]
    epoch = steps(len(mapped[1]), batch)
    for batches in contestants:
        cost(batches, epoch)  # compiled, pages mapped
    epochs = max(1, round(SECONDS / cost(contestants[1], epoch)[0]))
    images = epochs * len(mapped[1])
    rates: list[list[tuple[float, float]]] = [[] for _ in contestants]
    for _ in range(ROUNDS):
        for kept, batches in zip(rates, contestants, strict=True):
            wall, cpu = cost(batches, epochs * epoch)
            kept.append((images / wall, images / cpu))
    return rates


def ratio(one: list[tuple[float, float]], other: list[tuple[float, float]], clock: int) -> float:
    """Median over the rounds of a rate as a share of another's."""
    return statistics.median(a[clock] / b[clock] for a, b in zip(one, other, strict=True))


def rows(folder: Path) -> list[str]:
    """Measure every size and batch: a line of the table each."""
    lines = []
    for size, channels, count in SIZES:
        images, labels = pictures(size, channels, count), np.arange(count, dtype=np.int64) % 10
        np.save(folder / "images.npy", images)
        mapped = np.load(folder / "images.npy", mmap_mode="r")
        for batch in BATCHES:
            rates = compare((images, labels), (mapped, labels), batch)
            speeds = [statistics.median(wall for wall, _ in kept) for kept in rates]
            us, usual, quick = rates
            met = ratio(us, usual, 0) >= FLOOR
            large = " *" if images.nbytes >= LARGE else ""
            lines.append(
                f"| {size}x{size}x{channels} | {count:,}{large} | {batch} "
                + "".join(f"| {speed:,.0f} " for speed in speeds)
                + "".join(f"| {ratio(us, usual, clock):.2f}x " for clock in (0, 1))
                + "".join(f"| {ratio(us, quick, clock):.2f}x " for clock in (0, 1))
                + f"| {'yes' if met else '**no**'} |"
            )
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, print and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        lines = rows(Path(folder))
    date = time.strftime("%Y-%m-%d", time.gmtime())
    text = "\n".join([
        f"`python -m benchmarks.input_pipeline`, {len(os.sched_getaffinity(0))} cores, "
        f"TensorFlow {tf.__version__}, NumPy {np.__version__}, {date}.",
        "",
        "Images a second, medians of "
        f"{ROUNDS} rounds; ratios within each round, by wall clock and by CPU seconds.",
        f"Floor: {FLOOR}x of `from_tensor_slices` by wall clock. The files are in the page cache.",
        f"\\* larger than {LARGE >> 20} MiB: also looks whether its pages are in memory.",
        "",
        "| pictures | count | batch | mapped file (ours) | from_tensor_slices | gathered tensor "
        "| to slices, wall | CPU | to gathered, wall | CPU | met |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
        *lines,
    ]) + "\n"  # fmt: skip
    (ROOT / "benchmarks" / "input_pipeline.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
