"""Augmentation: operations over whole batches, random by (seed, epoch, batch)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import keras
import tensorflow as tf

from pipeline.data import AUGMENTATIONS, POLICIES
from pipeline.data.operations import OPERATIONS
from pipeline.data.operations.base import Batch, Change, KeyedSeeds, refuse_gray
from pipeline.data.operations.mixing import Mix
from pipeline.data.strength import scaled
from pipeline.errors import ConfigError
from pipeline.lazy import nearest

POLICY = "policy.json"
Policy = list[dict[str, dict[str, Any]]]
Augmenter = Callable[[Batch, tf.Tensor], Batch]

COLOUR_ONLY = {"saturation", "hue"}  # of Keras' layers, which do not ask
OURS = {"data_format", "dtype", "name", "seed", "value_range"}  # fixed by what pictures are here


def complete(
    policy: str | Sequence[str | Mapping[str, Mapping[str, Any] | None]], strength: float = 1.0
) -> Policy:
    """Spell a policy out, at a strength: a name becomes its list, a bare operation gets arguments.

    `strength` multiplies the factors of the policy, as `strength.scaled` says.
    """
    operations = POLICIES[policy] if isinstance(policy, str) else policy
    spelled: Policy = []
    for operation in operations:
        entry = {operation: {}} if isinstance(operation, str) else operation
        if len(entry) != 1:
            raise ConfigError(f"augment.policy: one operation an item, not {sorted(entry)}")
        spelled += [{name: scaled(name, said or {}, strength)} for name, said in entry.items()]
    return spelled


def operations(policy: Policy) -> list[tuple[str, Change]]:
    """Make the operations, with their names; raises `ConfigError` for an argument one refuses."""
    made = []
    for operation in policy:
        for name, arguments in operation.items():
            kind = AUGMENTATIONS[name]
            with _blaming(name):
                _check(name, arguments)
                made.append((name, _change(name, kind(**_fitted(name, arguments)))))
    return made


def augmenter(policy: Policy) -> Augmenter:
    """Make `(batch, key (3,) int64) -> batch` of a policy.

    Every random number is drawn from `key`, that is (seed, epoch, batch), and from the place of
    the operation in the policy: equal keys give equal pictures, whatever ran before or beside.
    An alternating flip also looks at `rows`.

    Raises:
        ConfigError: from here for an argument, and from what is made here for pictures, that an
            operation does not take.
        TypeError: from what is made here, where it is to mix and has labels in place of targets.
    """
    chain = operations(policy)

    def augment(batch: Batch, key: tf.Tensor) -> Batch:
        for number, (name, change) in enumerate(chain):
            if isinstance(change, Mix) and not batch.targets.dtype.is_floating:
                raise TypeError(f"{name} mixes targets: ask for batches with `classes`")
            with _blaming(name):
                batch = change(batch, KeyedSeeds(key, number))
        clip = tf.clip_by_value(batch.images, 0.0, 255.0) if chain else tf.identity(batch.images)
        return batch._replace(images=clip)

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
    """Refuse arguments that are not for a policy to set, and those that nobody knows."""
    known = OPERATIONS[name].arguments
    for argument in arguments:
        if argument in OURS:
            raise ValueError(f"`{argument}` is not for a policy to set")
        if argument not in known:
            raise ValueError(f"it does not take `{argument}`: {nearest(argument, known)}")


def _fitted(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Tell Keras' layers that pixels run from 0 to 255, and to keep borders black."""
    if name in {"brightness", "contrast", "saturation", "hue", "erase"}:
        return {"value_range": (0, 255), **arguments}
    if name in {"translate", "rotate", "zoom", "shear"}:
        return {"fill_mode": "constant", **arguments}
    return arguments


def _change(name: str, made: Any) -> Change:
    """Let a Keras layer be called as our operations are."""
    if not isinstance(made, keras.Layer):
        return cast(Change, made)

    def change(batch: Batch, seeds: KeyedSeeds) -> Batch:
        if name in COLOUR_ONLY:
            refuse_gray(batch.images)
        drawn = made.get_random_transformation(batch.images, training=True, seed=seeds)
        return batch._replace(images=made.transform_images(batch.images, drawn, training=True))

    return change


def write(folder: Path, policy: Policy) -> None:
    """Write a policy for the stages that train."""
    (folder / POLICY).write_text(json.dumps(policy, indent=1))


def read(folder: Path) -> Policy:
    """Read the policy `augment` left."""
    policy: Policy = json.loads((folder / POLICY).read_text())
    return policy
