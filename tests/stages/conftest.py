"""A chain of stages on digits, run directly: settings, folders of inputs, a folder out."""

import json

import numpy as np
import pytest

from pipeline.config import Config
from pipeline.data.dataset import training_split, validation_split
from pipeline.fit import session
from pipeline.stages import augment, build, ingest, prune, quantize, train

METRICS = "metrics.json"
QUICK = {
    "name": "test",
    "ingest": {"limit": 480, "validation": 0.2},
    "build": {"width": 6},
    "augment": {"policy": "light", "preview": 4},
    "train": {"epochs": 5, "batch": 32, "learning_rate": 0.01},
    "prune": {"epochs": 3, "sparsity": 0.8},
    "variants": ["float32", "int8", "prune+int8"],
}


def settings_of(step, **said):
    """Complete settings of a step, where what is said is laid over `QUICK`, section by section."""
    sections = {
        name: QUICK.get(name, {}) | value if isinstance(value, dict) else value
        for name, value in said.items()
    }
    return Config.of(QUICK | sections).resolve()[step][1]


@pytest.fixture(scope="session")
def settings():
    return settings_of


@pytest.fixture(scope="session")
def do():
    """Run a stage as the engine does: a clean session with its seed, then `run`."""

    def run(stage, settings, inputs, out):
        out.mkdir(parents=True, exist_ok=True)
        session.begin(settings.seed)
        return stage.run(settings, inputs, out)

    return run


@pytest.fixture(scope="session")
def chain(once, do):
    """Folders of finished steps: ingest, augment, build, train, prune and three files."""

    def make(root):
        said = {}

        def step(name, stage, id=None, **roles):
            inputs = {role: root / source for role, source in roles.items()}
            said[name] = do(stage, settings_of(id or name), inputs, root / name)

        trained = {"ingest": "ingest", "augment": "augment"}
        step("ingest", ingest)
        step("augment", augment, ingest="ingest")
        step("build", build, ingest="ingest")
        step("train", train, **trained, build="build")
        step("prune", prune, "prune(prune)", **trained, candidate="train")
        for variant, candidate in (
            ("float32", "train"),
            ("int8", "train"),
            ("prune+int8", "prune"),
        ):
            step(variant, quantize, f"quantize({variant})", ingest="ingest", candidate=candidate)
        (root / METRICS).write_text(json.dumps(said))

    root = once("chain", make)
    return {name: root / name for name in json.loads((root / METRICS).read_text())}


@pytest.fixture(scope="session")
def metrics(chain):
    """What the stages of `chain` said, by step."""
    return json.loads((chain["ingest"].parent / METRICS).read_text())


@pytest.fixture(scope="session")
def train_images(chain):
    return training_split(chain["ingest"])[0]


@pytest.fixture
def validation(chain):
    """Pictures uint8 `(N, 8, 8, 1)` and labels `(N,)` on which choices are made."""
    images, labels = validation_split(chain["ingest"])
    return np.asarray(images), np.asarray(labels)
