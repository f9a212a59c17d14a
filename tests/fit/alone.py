"""A fit in a process of its own, which may be killed: with all that remembers something."""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits

from pipeline.data.augmentation import complete
from pipeline.fit import session
from pipeline.fit.loop import Task, fit
from pipeline.settings import Train

EPOCHS = 60
SETTINGS = {
    "epochs": EPOCHS,
    "batch": 64,
    "learning_rate": 0.01,
    "weight_decay": 0.001,
    "patience": 40,
    "ema": 0.9,
    "schedule": {"plateau": {"patience": 2, "factor": 0.7}},
    "label_smoothing": 0.1,
    "steps_per_execution": 1,
}
RESULT = "result.npz"


def network():
    """A small network with dropout and batch normalization."""
    layers = keras.layers
    images = layers.Input((8, 8, 1), name="images")
    x = layers.Rescaling(1 / 255)(images)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(layers.Conv2D(4, 3)(x)))
    x = layers.Dropout(0.3)(layers.Flatten()(layers.SpatialDropout2D(0.2)(x)))
    return keras.Model(images, layers.Dense(10, activation="softmax")(x))


def run(out):
    """Fit, or go on with it, and write all numbers that it came to."""
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    shift = {"translate": {"height_factor": 0.1, "width_factor": 0.1}}
    policy = complete([{"flip": {"alternate": True}}, shift, "mixup"])
    task = Task((images[:320], labels[:320]), (images[320:520], labels[320:520]), policy)
    session.begin(5)
    model = network()
    done = fit(model, task, Train(**SETTINGS, seed=5), out=out)
    state = [*model.get_weights(), *(np.asarray(value) for value in model.optimizer.variables)]
    facts = {"history": done.history, "best": done.best_epoch, "from": done.resumed_from_epoch}
    write(out, state, facts)


def write(out, state, facts):
    """Write a list of arrays, and facts that JSON can hold, so that they are there when whole."""
    draft = out / f"draft-{RESULT}"
    np.savez(draft, *state, facts=np.array(json.dumps(facts)))
    draft.rename(out / RESULT)
