"""Advice: a recipe that suits a set of pictures, each setting with the figure behind it."""

from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np

from pipeline.advice_pictures import Line, ingest_lines
from pipeline.data.look import Look
from pipeline.data.sources import SPLITS
from pipeline.oddities import UNEVEN, imbalance

WANTED = ("size", "color")  # of what ingest is told, for the network
TINY = 32  # pixels up to which gray pictures are taken for signs, not photos
STEPS = 2_500  # of training, after which little is learned by a network of this kind
SECONDS = 300  # that the first training may take, unless it then saw its pictures too seldom
PIXELS_A_SECOND = 3e6  # small_cnn in training, augmentation included, on two x86 cores
OTHER_SECONDS = 60  # of a run beside training
PRUNE_STEPS = 100  # the ramp is refused below 16 and is smooth from some 80 on


@dataclass(frozen=True)
class Advice:
    """Lines by section, and the minutes that a run of them takes on two cores, guessed."""

    sections: dict[str, list[Line]]
    minutes: float


def advise(look: Look, path: str, dataset: str, reason: str) -> Advice:
    """Choose settings for a set of pictures; `path` is written as it is given."""
    taken = ingest_lines(look, path, dataset, reason)
    size, color = (next(line.value for line in taken if line.key == key) for key in WANTED)
    kept = prod(1 - line.value for line in taken if line.key in SPLITS)
    pictures = max(1, round(look.to_train * kept))
    height, width = (size, size) if isinstance(size, int) else size
    gray = color == "gray"
    train = _train(look, pictures, height * width)
    epochs, batch = train[0].value, train[1].value
    prune = max(ceil(epochs / 2), ceil(PRUNE_STEPS / ceil(pictures / batch)))
    seconds = (epochs + prune) * pictures * height * width / PIXELS_A_SECOND
    return Advice(
        {
            "ingest": taken,
            "augment": [_policy(gray, max(height, width))],
            "build": _build(look, max(height, width), 1 if gray else 3),
            "train": train,
            "prune": [
                Line("epochs", prune, f"half of those above, and {PRUNE_STEPS} steps at least"),
                Line(
                    "exclude",
                    ["first", "last"],
                    "of the layers with a kernel: few of the weights, most of the harm",
                ),
                Line("sparsity", 0.8),
            ],
        },
        (seconds + OTHER_SECONDS) / 60,
    )


def _policy(gray: bool, side: int) -> Line:
    if gray and side <= TINY:
        shift = round(min(0.12, max(0.04, 1 / side)), 2)
        return Line(
            "policy",
            [
                {"translate": {"height_factor": shift, "width_factor": shift}},
                {"rotate": {"factor": 0.04}},
            ],
            f"small and gray: taken for signs such as digits, so there is no flip, since a "
            f"mirrored 2 is none; shifted by a pixel, {shift:g} of the side, and turned by 14 "
            f"degrees either way",
        )
    changes: list[dict[str, Any]] = [
        {"flip": {"mode": "horizontal"}},
        {"translate": {"height_factor": 0.08, "width_factor": 0.08}},
        {"rotate": {"factor": 0.03}},
        {"zoom": {"height_factor": 0.1}},
    ]
    if not gray:
        changes += [{"brightness": {"factor": 0.1}}, {"saturation": {"factor": [0.4, 0.6]}}]
    colours = "no changes of colour, since there is none" if gray else "light and colour vary"
    why = f"photos; {colours}. Take `flip` out where left and right differ, as in text and signs"
    return Line("policy", changes, why)


def _build(look: Look, side: int, channels: int) -> list[Line]:
    width, blocks = (32, 3) if side <= 48 else (16, 4) if side <= 112 else (16, 5)
    rest = ceil(side / 2**blocks)
    weights = parameters(channels, len(look.classes), width, blocks)
    return [
        Line("model", "small_cnn", f"{weights:,} trainable parameters"),
        Line("width", width),
        Line("blocks", blocks, f"each halves the sides: {side} pixels become {rest}"),
    ]


def parameters(channels: int, classes: int, width: int, blocks: int) -> int:
    """Count what small_cnn learns, without building it."""
    outs = [width << block for block in range(blocks)]
    pairs = zip([channels, *outs], outs, strict=False)
    return sum(9 * ins * out + 2 * out for ins, out in pairs) + (outs[-1] + 1) * classes


def _train(look: Look, pictures: int, area: int) -> list[Line]:
    batch = next(
        size
        for most, size in ((200, 8), (1_000, 16), (5_000, 32), (20_000, 64), (np.inf, 128))
        if pictures < most
    )
    steps = ceil(pictures / batch)
    in_time = SECONDS * PIXELS_A_SECOND / area / pictures
    least = 8 if in_time > 2 else 2
    epochs = min(60, max(least, round(min(STEPS / steps, in_time))))
    lines = [
        Line("epochs", epochs, f"{steps * epochs:,} steps, {steps:,} an epoch"),
        Line("batch", batch, f"for about {pictures:,} training pictures"),
        Line("optimizer", "adam"),
        Line("learning_rate", 0.002),
    ]
    if imbalance(look) > UNEVEN:
        why = f"the largest class has {imbalance(look):.1f} times the pictures of the smallest"
        lines.append(Line("class_weights", "balanced", why))
    return lines
