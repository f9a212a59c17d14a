"""What a figure shows, read back from it, and class names that are hard to draw."""

import numpy as np
from matplotlib.figure import Figure

from pipeline.show import figures

ODD = [
    "<script>",
    "$x_1$",
    "猫",
    "two\nlines",
    "\U0001f408",
    "",
    "x" * 80,
    "عربي",
    r"\alpha",
    "{a}^",
]


def words(figure: Figure) -> list[str]:
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    labels = [label for axes in figure.axes for label in axes.get_xticklabels()]
    return found + [label.get_text() for label in labels]


def pictures(figure: Figure) -> list[np.ndarray]:
    return [image.get_array() for axes in figure.axes for image in axes.get_images()]


def saved(figure: Figure, tmp_path, name: str = "figure.png") -> bytes:
    figures.save(figure, tmp_path / name)
    return (tmp_path / name).read_bytes()
