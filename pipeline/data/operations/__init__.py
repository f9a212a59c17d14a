"""What can stand in a policy: each operation's meaning, its arguments, and what strength scales.

Plain values: naming operations and scaling a policy cost no import. The code of each is a row of
`AUGMENTATIONS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NEEDED = "needed"  # in place of a default: the policy has to say


@dataclass(frozen=True)
class Reach:
    """How far an argument goes: `augment.strength` multiplies its distance from `still`.

    At `still` the operation changes nothing; `least` and `most` are what it accepts. `low` is
    where a single number's range begins, None where it reaches as far to either side.
    """

    least: float = -1.0
    most: float = 1.0
    still: float = 0.0
    low: float | None = None


@dataclass(frozen=True)
class Operation:
    """A row: one line of meaning, arguments with their defaults, and those that strength scales."""

    meaning: str
    arguments: Mapping[str, Any]
    reach: Mapping[str, Reach] = field(default_factory=dict)


EDGES = {"fill_mode": "constant", "fill_value": 0.0, "interpolation": "bilinear"}
SHARE = Reach(least=0.0)
ALPHA = Reach(least=1e-3, most=100.0)

OPERATIONS: Mapping[str, Operation] = {
    "flip": Operation(
        "mirror half of the pictures; alternate: each in every second epoch",
        {"mode": "horizontal_and_vertical", "alternate": False},
    ),
    "crop": Operation(
        "pad by so many pixels, and cut the old size out at a random place",
        {"padding": 4, "fill": "black"},
        {"padding": Reach(least=1, most=256)},
    ),
    "translate": Operation(
        "shift, by shares of height and width",
        {"height_factor": NEEDED, "width_factor": NEEDED, **EDGES},
        {"height_factor": Reach(), "width_factor": Reach()},
    ),
    "rotate": Operation(
        "turn, by a share of the full circle", {"factor": NEEDED, **EDGES}, {"factor": Reach()}
    ),
    "zoom": Operation(
        "zoom in (below 0) and out, by shares of height and width",
        {"height_factor": NEEDED, "width_factor": None, **EDGES},
        {"height_factor": Reach(-0.95), "width_factor": Reach(-0.95)},
    ),
    "shear": Operation(
        "slant, by shares of width and height",
        {"x_factor": 0.0, "y_factor": 0.0, **EDGES},
        {"x_factor": SHARE, "y_factor": SHARE},
    ),
    "brightness": Operation(
        "add a share of the pixel range", {"factor": NEEDED}, {"factor": Reach()}
    ),
    "contrast": Operation(
        "stretch about each channel's mean", {"factor": NEEDED}, {"factor": SHARE}
    ),
    "saturation": Operation(
        "0 is gray, 0.5 as it was, 1 fully saturated (colour pictures)",
        {"factor": NEEDED},
        {"factor": Reach(least=0.0, still=0.5, low=0.0)},
    ),
    "hue": Operation(
        "turn the colour circle (colour pictures)", {"factor": NEEDED}, {"factor": SHARE}
    ),
    "color_jitter": Operation(
        "brightness, contrast, saturation, each times 1 plus or minus so much, and hue turned by "
        "a share of the circle",
        {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0},
        {"brightness": SHARE, "contrast": SHARE, "saturation": SHARE, "hue": Reach(0.0, 0.5)},
    ),
    "grayscale": Operation(
        "take the colour from some pictures (colour pictures)",
        {"probability": 0.1},
        {"probability": SHARE},
    ),
    "sharpness": Operation("blur or sharpen, by up to so much", {"factor": 0.5}, {"factor": SHARE}),
    "solarize": Operation(
        "invert what is brighter than the threshold, in some pictures",
        {"probability": 0.2, "threshold": 128},
        {"probability": SHARE},
    ),
    "posterize": Operation(
        "keep so many bits of each pixel, in some pictures",
        {"probability": 0.2, "bits": 4},
        {"probability": SHARE},
    ),
    "equalize": Operation(
        "level the histogram of each channel, in some pictures",
        {"probability": 0.2},
        {"probability": SHARE},
    ),
    "erase": Operation(
        "fill a random box of a share of the picture",
        {"factor": 1.0, "scale": (0.02, 0.33), "fill_value": None},
        {"scale": Reach(least=0.0)},
    ),
    "noise": Operation(
        "add Gaussian noise of up to a share of the pixel range",
        {"factor": 0.05},
        {"factor": SHARE},
    ),
    "rand_augment": Operation(
        "so many of 14 operations to each picture, drawn anew, all of one magnitude",
        {"operations": 2, "magnitude": 0.3},
        {"magnitude": SHARE},
    ),
    "mixup": Operation(
        "blend pictures and targets of two, by a share from Beta(alpha, alpha)",
        {"alpha": 0.2, "probability": 1.0},
        {"alpha": ALPHA},
    ),
    "cutmix": Operation(
        "paste a box of another picture, and its part of the target",
        {"alpha": 1.0, "probability": 1.0},
        {"alpha": ALPHA},
    ),
}
