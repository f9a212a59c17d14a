"""Augment: settle the policy of random changes, and show what it does to pictures."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.data import augmentation
from pipeline.data.batches import as_targets
from pipeline.data.dataset import facts, labelled_sample
from pipeline.data.operations.base import Batch
from pipeline.data.operations.framing import MOST_PADDING
from pipeline.data.sources import Images, Labels
from pipeline.settings import Augment, Inputs, Metrics
from pipeline.show import figures

ROUNDS = 5
SIDE = MOST_PADDING + 1  # of the picture that is tried, so that any crop fits


def check(settings: Augment) -> None:
    """Change one colour picture, so that a wrong argument is said before anything runs."""
    black = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    policy = augmentation.complete(settings.policy, settings.strength)
    augmentation.augmenter(policy)(_batch(black, np.zeros(1, np.int64), 2), _key(0, 0))


def run(settings: Augment, inputs: Inputs, out: Path) -> Metrics:
    """Write `policy.json`, spelled out, and `figures/augmentation_preview.png`."""
    policy = augmentation.complete(settings.policy, settings.strength)
    augmentation.write(out, policy)
    originals, labels = labelled_sample(inputs["ingest"], settings.preview, settings.seed)
    classes = facts(inputs["ingest"])["classes"]
    changed, shares = preview(originals, labels, len(classes), policy, settings.seed)
    (out / "figures").mkdir()
    drawn = figures.augmentation_preview(originals, changed, shares, classes)
    figures.save(drawn, out / "figures" / "augmentation_preview.png")
    return {"operations": len(policy)}


def preview(
    originals: Images, labels: Labels, classes: int, policy: augmentation.Policy, seed: int
) -> tuple[Images, NDArray[np.float32]]:
    """Change the same pictures as `ROUNDS` epochs would, among themselves where they are mixed.

    Returns copies `(ROUNDS, N, H, W, C)` uint8, and what each shows: `(ROUNDS, N, classes)`.
    """
    change = augmentation.augmenter(policy)
    batch = _batch(originals, labels, classes)
    changed = [change(batch, _key(seed, epoch)) for epoch in range(ROUNDS)]
    copies = np.stack([np.round(one.images.numpy()) for one in changed]).astype(np.uint8)
    return copies, np.stack([one.targets.numpy() for one in changed])


def _batch(images: Images, labels: Labels, classes: int) -> Batch:
    rows = tf.range(len(labels), dtype=tf.int64)
    return Batch(tf.cast(images, tf.float32), as_targets(tf.constant(labels), classes), rows)


def _key(seed: int, epoch: int) -> tf.Tensor:
    return tf.constant([seed, epoch, 0], tf.int64)
