"""Feature matching: how far layers of a pupil are from those of its teacher."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from pipeline.compress.pairing import Method, Pair, nodes
from pipeline.data.batches import plain_batches
from pipeline.data.sources import Images, Labels
from pipeline.fit.ensembles.members import prefixes

BATCH = 256
PROJECTION = "hint_projection"  # optimizers that treat the last layer apart know it by this name
LEAST = 1e-16  # a sum of squares is taken for this much more: nothing is divided by zero


class Matching:
    """Pairs of layers of a pupil and its teacher, and what the loss makes of their distances.

    `pupil` and `teacher` are the two networks, from pixels `(B, H, W, C)` to a list: probabilities
    `(B, K)`, and then what their layers of `pairs` give; of an ensemble, what the layer gives in
    each member, one after the other. Layers are shared with the networks given. `projections` are
    what `hints` learn beside the pupil; `weight`, >= 0, is what the mean distance has in the loss.
    """

    def __init__(
        self,
        pupil: keras.Model,
        teacher: keras.Model,
        pairs: Sequence[Pair],
        method: Method,
        weight: float,
    ) -> None:
        members = prefixes(teacher)
        self.pairs, self.members = tuple(pairs), len(members)
        self.method, self.weight = method, weight
        named = [f"{member}{pair.teacher}" for pair in pairs for member in members]
        self.pupil = _looked_into(pupil, [pair.pupil for pair in pairs])
        self.teacher = _looked_into(teacher, named)
        self.projections: list[keras.layers.Layer] = []
        if method == "hints":
            theirs = self.teacher.outputs[1:]
            self.projections = [
                _projection(self._beside(self.pupil.outputs[1:], number), wanted, number)
                for number, wanted in enumerate(theirs)
            ]

    def taught(self, images: Any, ours: Sequence[Any]) -> tuple[Any, Any]:
        """The teacher's probabilities `(B, K)`, and the weighted mean distance of `ours` from its.

        `images` are the pixels that the pupil has seen, `ours` what its layers gave to them.
        """
        answers, *theirs = self.teacher(images, training=False)
        return answers, self.weight * ops.mean(ops.stack(self.distances(ours, theirs)))

    def distances(self, ours: Sequence[Any], theirs: Sequence[Any]) -> list[Any]:
        """How far apart each pair is: scalars >= 0, the means over members."""
        each = []
        for number, given in enumerate(theirs):
            found, wanted = self._beside(ours, number), ops.stop_gradient(given)
            if self.projections:
                each.append(hint(self.projections[number](found), wanted))
            else:
                each.append(attention_transfer(found, wanted))
        starts = range(0, len(each), self.members)
        return [ops.mean(ops.stack(each[first : first + self.members])) for first in starts]

    def apart(self, split: tuple[Images, Labels]) -> list[float]:
        """How far apart each pair is on the pictures of a split, as the networks are now."""
        sums = np.zeros(len(self.pairs))
        for images, _ in plain_batches(split, BATCH):
            (_, *ours), (_, *theirs) = (
                one(images, training=False) for one in (self.pupil, self.teacher)
            )
            sums += len(images) * np.array([float(one) for one in self.distances(ours, theirs)])
        return [float(one) for one in sums / len(split[1])]

    def facts(self, before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
        """What was matched, and how far apart each pair was `before` training and is `after`."""
        return {
            "method": self.method,
            "weight": self.weight,
            "members": self.members,
            "pairs": [
                {"pupil": pair.pupil, "teacher": pair.teacher, "size": list(pair.size)}
                | {"before": far, "after": near}
                for pair, far, near in zip(self.pairs, before, after, strict=True)
            ],
        }

    def _beside(self, ours: Sequence[Any], number: int) -> Any:
        """The pupil's side of the teacher's tensor of a number."""
        return ours[number // self.members]


def attention_transfer(pupil: Any, teacher: Any) -> Any:
    """Mean squared distance of attention maps: 0 where both look at the same places, at most 2.

    Both are `(B, H, W, C)` with channel counts of their own. Attention is the sum of squares over
    channels, brought to length 1 a picture.

    Source: Zagoruyko, Komodakis, 2017, "Paying more attention to attention", activation-based, with
    p = 2. We square the distance, as their code does and their formula does not, and sum it over
    places where their code takes the mean, so that a weight means the same at every size. Of
    several pairs they take the sum and we the mean, so that it means the same for any number.
    """
    return ops.mean(ops.sum(ops.square(attention(pupil) - attention(teacher)), axis=-1))


def attention(maps: Any) -> Any:
    """Where maps `(B, H, W, C)` are active: `(B, H * W)`, none negative, of length 1 a picture.

    A picture on which they are zero everywhere has zeros.
    """
    energy = ops.sum(ops.square(maps), axis=-1)
    energy = ops.reshape(energy, (-1, maps.shape[1] * maps.shape[2]))
    return energy * ops.rsqrt(ops.sum(ops.square(energy), axis=-1, keepdims=True) + LEAST)


def hint(projected: Any, teacher: Any) -> Any:
    """Mean squared difference over the teacher's mean square: 1 where nothing of it is said.

    Both are `(B, H, W, C)` or `(B, C)`; the pupil's went through its projection.

    Source: Romero et al., 2015, "FitNets: Hints for thin deep nets". They learn hints first and
    answers then, from one layer, by a convolution that may shrink a map; we learn both at once,
    from any number of layers of equal height and width, by a 1x1 convolution each. Dividing by the
    mean square makes a weight mean the same for every layer.
    """
    left = ops.mean(ops.square(projected - teacher))
    return left / (ops.mean(ops.square(teacher)) + LEAST)


def _looked_into(network: keras.Model, names: Sequence[str]) -> keras.Model:
    """The network, giving what layers of these names give beside its answer."""
    known = nodes(network)
    return keras.Model(network.input, [network.output, *(known[n].outputs[0] for n in names)])


def _projection(given: Any, wanted: Any, number: int) -> keras.layers.Layer:
    """A 1x1 convolution, of a vector a dense layer: from one count of channels to another.

    It begins as zeros, so that it pulls at the pupil only once it has learned what to ask for.
    """
    name = f"{PROJECTION}_{number}"
    layer = layers.Dense(wanted.shape[-1], kernel_initializer="zeros", name=name)
    layer.build(given.shape)
    return layer
