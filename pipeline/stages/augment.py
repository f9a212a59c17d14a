"""Augment: settle the policy of random changes, and show what it does to pictures."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from pipeline.data import augmentation
from pipeline.data.dataset import training_sample
from pipeline.data.sources import Images
from pipeline.settings import Augment, Inputs, Metrics
from pipeline.show import figures

ROUNDS = 5


def check(settings: Augment) -> None:
    """Change one colour picture, so that a wrong argument is said before anything runs."""
    preview(np.zeros((1, 8, 8, 3), np.uint8), augmentation.complete(settings.policy), 0)


def run(settings: Augment, inputs: Inputs, out: Path) -> Metrics:
    """Write `policy.json`, spelled out, and `figures/augmentation_preview.png`."""
    policy = augmentation.complete(settings.policy)
    augmentation.write(out, policy)
    originals = training_sample(inputs["ingest"], settings.preview, settings.seed)
    changed = preview(originals, policy, settings.seed)
    (out / "figures").mkdir()
    drawn = figures.augmentation_preview(originals, changed)
    figures.save(drawn, out / "figures" / "augmentation_preview.png")
    return {"operations": len(policy)}


def preview(originals: Images, policy: augmentation.Policy, seed: int) -> Images:
    """Change the same pictures as `ROUNDS` epochs would: `(ROUNDS, N, H, W, C)` uint8."""
    change = augmentation.augmenter(policy)
    pixels = tf.cast(originals, tf.float32)
    keys = [tf.constant([seed, epoch, 0], tf.int64) for epoch in range(ROUNDS)]
    return np.stack([np.round(change(pixels, key).numpy()) for key in keys]).astype(np.uint8)
