"""Members of an ensemble side by side behind one input, as an ordinary functional model."""

from collections.abc import Sequence
from itertools import count, takewhile
from typing import Any

import keras
import numpy as np
from keras import layers

from pipeline.errors import ConfigError
from pipeline.fit.ensembles.votes import Stacked, Weights

NAME = "ensemble"
VOTE = "vote"  # the layer whose few weights say what each member counts: never to be pruned
PREFIX = "member_{}_"  # of the names of a member's layers, by its number from 1


def voting(members: Sequence[keras.Model], weights: Weights) -> keras.Model:
    """Answer with the weighted mean of members' probabilities `(B, K)`; `weights` sum to 1.

    Members are renamed on the way, and share their layers with the model returned. The mean is one
    dense layer over members, of M weights: int8 throughout, where Keras' `Average` would become a
    chain of additions that each round.
    """
    images, answers = _side_by_side(members)
    classes = answers[0].shape[-1]
    columns = [layers.Reshape((classes, 1), name=f"column_{n}")(x) for n, x in enumerate(answers)]
    x = layers.Concatenate(name="columns")(columns)
    x = layers.Dense(1, use_bias=False, name=VOTE)(x)
    model = keras.Model(images, layers.Reshape((classes,), name="probabilities")(x), name=NAME)
    model.get_layer(VOTE).set_weights([weights.astype(np.float32)[:, None]])
    return model


def stacking(members: Sequence[keras.Model], fitted: Stacked) -> keras.Model:
    """Answer by a dense layer with softmax on what `scoring` members answer, `(B, M K)`."""
    images, scores = _side_by_side(members)
    x = layers.Concatenate(name="scores")(scores)
    head = layers.Dense(len(fitted.bias), activation="softmax", name="probabilities")
    model = keras.Model(images, head(x), name=NAME)
    head.set_weights([fitted.kernel, fitted.bias])
    return model


def prefixes(model: keras.Model) -> tuple[str, ...]:
    """What the names of each member's layers begin with, member by member.

    A network that is no ensemble is its own only member, and its names begin with nothing: `("",)`.
    """
    if model.name != NAME:
        return ("",)
    names = [layer.name for layer in model.layers]
    found = (PREFIX.format(number) for number in count(1))
    return tuple(takewhile(lambda one: any(name.startswith(one) for name in names), found))


def scoring(member: keras.Model) -> keras.Model:
    """Take the softmax off a network, and return it: it answers with scores (logits).

    Raises:
        ConfigError: it does not end in a softmax.
    """
    head, node, _ = member.outputs[0]._keras_history
    if getattr(head, "activation", None) is not keras.activations.softmax:
        raise ConfigError(
            f"ensemble.combine: stacking takes scores from before a softmax, and {member.name} "
            f"ends in a layer {head.name} that has none; set soft_voting"
        )
    head.activation = keras.activations.linear
    (features,) = head._inbound_nodes[node].input_tensors
    return keras.Model(member.input, head(features), name=member.name)


def _side_by_side(members: Sequence[keras.Model]) -> tuple[Any, list[Any]]:
    """One input, and the answer of each member to it.

    A member that is called would be one layer of the model; run by `call`, its layers are, which
    every later step can look into.
    """
    images = keras.Input(members[0].input_shape[1:], name="images")
    answers = []
    for number, member in enumerate(members, 1):
        for operation in member.operations:
            operation.name = PREFIX.format(number) + operation.name
        answers.append(member.call(images))
    return images, answers
