"""A training set ten times larger than memory: does it train, in a full shuffle, and how fast?

    python -m benchmarks.larger_than_memory [FOLDER]    about eight minutes, 8 GB in FOLDER

A process that may hold 768 MiB, page cache included, trains `small_cnn` for one whole epoch of
7.5 GiB of pictures; others of the same size train on what fits, and on the 7.5 GiB without the
advice the system is given. The fence is a Linux control group below our own, which takes root.
Without one nothing is enforced, the table says so, and shows the memory that is the process's own.
"""

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
LIMIT = 768 << 20
SHAPE = (96, 96, 3)
PICTURE = 96 * 96 * 3
LARGE, SMALL = 10 * LIMIT // PICTURE, LIMIT // 3 // PICTURE + 1
BATCH = 64
NETWORK = {"width": 2}  # small: a slow network would hide what its input costs

# What a process trains on, what it is told of the file, and for how many steps (0: an epoch).
CASES = (
    ("a third of memory", SMALL, "asked", 400),
    ("ten times memory", LARGE, "asked", 0),
    ("ten times memory, no row asked for ahead", LARGE, "random", 60),
    ("ten times memory, no advice at all", LARGE, "none", 60),
)


def write(path: Path, count: int) -> None:
    """Write Fashion-MNIST tiled to 96x96x3, under noise so that no two pictures are equal."""
    with gzip.open(FASHION) as stream:
        raw = np.frombuffer(stream.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    noise = np.random.default_rng(0)
    with path.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *SHAPE)}
        np.lib.format.write_array_header_1_0(stream, header)
        for first in range(0, count, 2000):
            chosen = raw[np.arange(first, min(first + 2000, count)) % len(raw)]
            tiled = np.tile(chosen[:, :24, :24, None] // 2, (1, 4, 4, 3))
            tiled += noise.integers(0, 128, tiled.shape, np.uint8)
            stream.write(tiled)


def forget(path: Path) -> None:
    """Have the page cache let go of a file, so that a process pays for its own reads."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def fence(limit: int) -> Iterator[Path | None]:
    """Make a control group of so many bytes below our own; None where that is not allowed."""
    groups = dict(line.split(":")[1:] for line in Path("/proc/self/cgroup").read_text().split())
    first = "memory" in groups
    root = Path("/sys/fs/cgroup/memory" if first else "/sys/fs/cgroup")
    group = root / groups["memory" if first else ""].lstrip("/") / f"pix2pocket-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit))
    except OSError as error:
        print(f"no control group ({error}): nothing is enforced")
        if group.exists():
            group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


def peak(group: Path | None) -> int | None:
    """Most bytes a group has held, page cache included."""
    for name in ("memory.max_usage_in_bytes", "memory.peak"):
        if group and (group / name).exists():
            return int((group / name).read_text())
    return None


def run(case: tuple[str, int, str, int], folder: Path) -> dict[str, Any]:
    """Train one case in a process of its own, behind its own fence."""
    _name, count, advice, steps = case
    path = folder / f"{count}.npy"
    forget(path)
    with fence(LIMIT) as group:

        def enter() -> None:
            if group:
                (group / "cgroup.procs").write_text(str(os.getpid()))

        module = ("-m", "benchmarks.larger_than_memory")
        words = [sys.executable, *module, "--child", str(path.resolve()), advice, str(steps)]
        done = subprocess.run(words, preexec_fn=enter, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{case}: ended with {done.returncode}\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found | {"peak": peak(group)}


class Watch(threading.Thread):
    """Looks four times a second at how much memory of its own this process has."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.anonymous = 0

    def run(self) -> None:
        """Keep the largest figure seen."""
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            self.anonymous = max(self.anonymous, own << 10)
            time.sleep(0.25)


def child(path: Path, advice: str, steps: int) -> None:
    """Train, and print as JSON what it took and whether each picture came once."""
    import keras
    import tensorflow as tf

    from models import MODELS
    from pipeline.data import batches as room
    from pipeline.data.augmentation import augmenter, complete
    from pipeline.fit import session

    session.begin(0)
    watch = Watch()
    watch.start()
    images = np.load(path, mmap_mode="r")
    numbers = np.arange(len(images), dtype=np.int64)  # a label is the picture's number
    seen = np.zeros(len(images), np.uint8)
    if advice == "none":
        room.LARGE = sys.maxsize
    elif advice == "random":
        room.Rows.ask = lambda self, rows: 0

    def note(drawn: np.ndarray) -> np.ndarray:
        np.add.at(seen, drawn, 1)
        return drawn % 10

    def classed(pixels: tf.Tensor, drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        classes = tf.numpy_function(note, [drawn], tf.int64)
        classes.set_shape((None,))
        return pixels, classes

    epoch = room.steps(len(images), BATCH)
    stream = room.training_batches((images, numbers), BATCH, 0, augmenter(complete("none")))
    network = MODELS["small_cnn"](SHAPE, 10, **NETWORK)
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), network])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    model.train_on_batch(np.zeros((BATCH, *SHAPE), np.float32), np.zeros(BATCH))
    started = time.perf_counter()
    taken = stream.map(classed).take(steps or epoch)
    model.fit(taken, steps_per_epoch=steps or epoch, shuffle=False, verbose=0)
    seconds = time.perf_counter() - started
    drawn = int(seen.sum())
    print(json.dumps({
        "pictures": len(images),
        "drawn": drawn,
        "rate": drawn / seconds,
        "anonymous": watch.anonymous,
        "faults": resource.getrusage(resource.RUSAGE_SELF).ru_majflt,
        "once": bool((seen == 1).all()) if not steps else None,
    }))  # fmt: skip


def line(case: tuple[str, int, str, int], found: dict[str, Any]) -> str:
    """A line of the table."""
    megabytes: Callable[[int], str] = lambda count: f"{count >> 20:,} MiB"  # noqa: E731
    cells = [
        case[0],
        f"{found['pictures']:,}",
        megabytes(found["pictures"] * PICTURE),
        f"{found['drawn']:,}",
        {True: "yes", False: "**no**", None: ""}[found["once"]],
        f"{found['rate']:,.0f}",
        megabytes(found["anonymous"]),
        megabytes(found["peak"]) if found["peak"] else "not fenced",
        f"{found['faults']:,}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Make the pictures, train every case, print and write the table."""
    words = argparse.ArgumentParser()
    words.add_argument("folder", nargs="?")
    words.add_argument("--child", nargs=3)
    given = words.parse_args()
    if given.child:
        path, advice, steps = given.child
        child(Path(path), advice, int(steps))
        return
    lines, fenced = [], True
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for count in (SMALL, LARGE):
            write(Path(folder) / f"{count}.npy", count)
        for case in CASES:
            found = run(case, Path(folder))
            fenced = fenced and found["peak"] is not None
            lines.append(line(case, found))
            print(lines[-1], flush=True)
    date = time.strftime("%Y-%m-%d", time.gmtime())
    held = f"behind a control group of {LIMIT >> 20} MiB" if fenced else "nothing enforced"
    text = "\n".join([
        f"`python -m benchmarks.larger_than_memory`, {len(os.sched_getaffinity(0))} cores, "
        f"{date}, {held}.",
        "",
        f"`small_cnn` of width {NETWORK['width']}, batch {BATCH}, pictures of 96x96x3, each case "
        "from a cold page cache in a process of its own.",
        "",
        "| training set | pictures | size | drawn | each once | images/s | own memory "
        "| group's peak, page cache included | reads waited for |",
        "|---|--:|--:|--:|---|--:|--:|--:|--:|",
        *lines,
    ]) + "\n"  # fmt: skip
    (ROOT / "benchmarks" / "larger_than_memory.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
