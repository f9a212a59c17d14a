"""Augmentation: Keras' preprocessing layers over whole batches, random by (seed, epoch, batch)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from pipeline.data import AUGMENTATIONS, POLICIES
from pipeline.errors import ConfigError

POLICY = "policy.json"
Policy = list[dict[str, dict[str, Any]]]
Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

COLOUR_ONLY = {"saturation", "hue"}
FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
OURS = {"data_format", "dtype", "name", "seed", "value_range"}  # fixed by what pictures are here


def complete(policy: str | Sequence[str | Mapping[str, Mapping[str, Any] | None]]) -> Policy:
    """Spell a policy out: a name becomes its list, a bare operation gets empty arguments."""
    operations = POLICIES[policy] if isinstance(policy, str) else policy
    spelled: Policy = []
    for operation in operations:
        entry = {operation: {}} if isinstance(operation, str) else operation
        if len(entry) != 1:
            raise ConfigError(f"augment.policy: one operation an item, not {sorted(entry)}")
        spelled += [{name: dict(arguments or {})} for name, arguments in entry.items()]
    return spelled


def layers(policy: Policy) -> list[tuple[str, keras.Layer]]:
    """Make the layers, with their names; raises `ConfigError` for an argument one refuses."""
    made = []
    for operation in policy:
        for name, arguments in operation.items():
            layer = AUGMENTATIONS[name]
            with _blaming(name):
                _check(name, arguments)
                made.append((name, layer(**_scaled(name, arguments))))
    return made


def augmenter(policy: Policy) -> Change:
    """Make `(images (B, H, W, C) float32 0..255, key (3,) int64) -> images` of a policy.

    Every random number is drawn from `key`, that is (seed, epoch, batch), and from the place of
    the operation in the policy: equal keys give equal pictures, whatever ran before or beside.

    Raises:
        ConfigError: from here for an argument, and from what is made here for pictures, that an
            operation does not take.
    """
    chain = layers(policy)

    def augment(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        for number, (name, layer) in enumerate(chain):
            seeds = _KeyedSeeds(key, number)
            with _blaming(name):
                if name in COLOUR_ONLY and images.shape[-1] != 3:
                    raise ValueError("it changes colours, and these pictures are gray")
                change = layer.get_random_transformation(images, training=True, seed=seeds)
                images = layer.transform_images(images, change, training=True)
        return tf.clip_by_value(images, 0.0, 255.0) if chain else tf.identity(images)

    return augment


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Say which operation of the policy does not work as it was asked to, and why, in one line."""
    try:
        yield
    except (TypeError, ValueError, NotImplementedError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"augment.policy: {name}: {reason}") from error


def _check(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse what Keras would take without a word."""
    for argument in OURS & set(arguments):
        raise ValueError(f"`{argument}` is not for a policy to set")
    if name == "flip" and (mode := arguments.get("mode", FLIPS[0])) not in FLIPS:
        raise ValueError(f"`mode` is one of {', '.join(FLIPS)}; received {mode!r}")


class _KeyedSeeds(keras.random.SeedGenerator):
    """Seeds that are a function of a key and a count, in place of Keras' running state.

    Keras' layers ask a SeedGenerator for `next()`; its own answer comes from a variable, which in
    a parallel `tf.data` map depends on who came first.
    """

    def __init__(self, key: tf.Tensor, operation: int) -> None:  # no variable is made
        self._key = tf.random.fold_in(_folded(key), operation)
        self._count = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        self._count += 1
        return tf.random.fold_in(self._key, self._count)


def _folded(key: tf.Tensor) -> tf.Tensor:
    """Fold (seed, epoch, batch) into the pair of int32 that stateless random operations take."""
    state = tf.stack([tf.cast(key[0], tf.int32), 0])
    return tf.random.fold_in(tf.random.fold_in(state, key[1]), key[2])


def _scaled(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Tell layers that ask for it that pixels run from 0 to 255, and keep borders black."""
    if name in {"brightness", "contrast", "saturation", "hue", "erase"}:
        return {"value_range": (0, 255), **arguments}
    if name in {"translate", "rotate", "zoom", "shear"}:
        return {"fill_mode": "constant", **arguments}
    return arguments


def write(folder: Path, policy: Policy) -> None:
    """Write a policy for the stages that train."""
    (folder / POLICY).write_text(json.dumps(policy, indent=1))


def read(folder: Path) -> Policy:
    """Read the policy `augment` left."""
    policy: Policy = json.loads((folder / POLICY).read_text())
    return policy
