"""The networks under benchmarks/reference: what work on compression begins with."""

import gzip
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from models import MODELS
from pipeline.config import Config
from pipeline.data.sources.idx import DEBIAN
from pipeline.fit.files import load_model

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks" / "reference"
ROW = re.compile(r"\| `(\S+\.keras)` \| \S+ % \| (\S+) % \| \S+ % \| `(\w+)` \|")
SAID = {name: (float(test), digest) for name, test, digest in ROW.findall(
    (FOLDER / "README.md").read_text()
)}  # fmt: skip
SHAPE = (28, 28, 1)


def trainable(model):
    return sum(weight.shape.num_elements() for weight in model.trainable_weights)


def idx(part, head):
    with gzip.open(DEBIAN / f"t10k-{part}-ubyte.gz") as stream:
        return np.frombuffer(stream.read(), np.uint8, offset=head)


def test_they_are_those_that_the_page_lists():
    files = sorted(FOLDER.glob("*.keras"))
    assert {file.name for file in files} == set(SAID)
    assert len(files) == 3
    for file in files:
        assert hashlib.sha256(file.read_bytes()).hexdigest().startswith(SAID[file.name][1])


@pytest.mark.parametrize("name", ["fashion_mnist_fast", "fashion_mnist_100k"])
def test_recipes_below_a_hundred_thousand_weights_are(name):
    build = Config.load(ROOT / "configs" / f"{name}.yaml").build
    assert trainable(MODELS[build.model](SHAPE, 10, **build.model_extra)) < 100_000


@pytest.mark.parametrize("name", SAID)
def test_each_takes_raw_pixels_and_is_below_a_hundred_thousand_weights(name):
    model = load_model(FOLDER / name)
    assert model.input_shape == (None, *SHAPE)
    assert trainable(model) < 100_000
    weights = {weight.path: weight.numpy() for weight in model.trainable_weights}
    others = [load_model(FOLDER / other) for other in SAID if other != name]
    assert all(
        not np.array_equal(weight.numpy(), weights[weight.path])
        for other in others
        for weight in other.trainable_weights
        if weight.path.endswith("kernel")
    ), "each of another seed"


@pytest.mark.fashion
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not there")
@pytest.mark.parametrize("name", SAID)
def test_each_is_as_accurate_on_the_test_pictures_as_the_page_says(name):
    images = idx("images-idx3", 16).reshape(-1, *SHAPE).astype(np.float32)
    labels = idx("labels-idx1", 8)
    found = load_model(FOLDER / name).predict(images, batch_size=500, verbose=0).argmax(-1)
    assert 100 * (found == labels).mean() == pytest.approx(SAID[name][0], abs=0.02)
