"""The lines of Python that run a .tflite file on a photo with LiteRT, made for that file."""

from collections.abc import Iterator
from typing import Any

from pipeline.show import words
from pipeline.show.files import Port
from pipeline.show.schema import Report
from pipeline.show.variant import Variant

GRAYS = {"white": 255, "gray": 128, "black": 0}  # behind transparent pixels, around padded ones
_HEAD = """\
import json
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

CLASSES = json.loads(Path("report.json").read_text(encoding="utf-8"))["dataset"]["classes"]
"""


def snippet(report: Report, variant: Variant) -> str | None:
    """Python that reads `photo.png` beside it and prints what the file of `variant` says of it.

    None where the report does not hold what the file takes and gives.
    """
    inside = variant.audit
    if inside is None or len(inside.inputs) != 1 or len(inside.outputs) != 1:
        return None
    (taken,), (given,) = inside.inputs, inside.outputs
    if len(taken.shape) != 4 or taken.shape[-1] not in (1, 3):
        return None
    lines = [
        f"interpreter = Interpreter({variant.file!a})",
        'model = interpreter.get_signature_runner("serving_default")',
        "",
        *_picture(words.settings(report, "ingest"), taken),
        *_encoded(taken),
        'answer = model(images=pixels)["probabilities"][0]',
        *_decoded(given),
        f"for number in {_named(report)}:",
        '    print(f"{CLASSES[number]}: {answer[number]:.1%}")',
    ]
    return _HEAD + "\n".join(lines)


def _named(report: Report) -> str:
    """Which classes are printed: the likeliest, or all that count as seen, where several may be."""
    if not report.dataset.multi_label:
        return 'np.argsort(-answer, kind="stable")[:3]'
    threshold = report.evaluation.threshold if report.evaluation else None
    return f"np.flatnonzero(answer >= {threshold or 0.5})"


def _picture(said: Any, taken: Port) -> Iterator[str]:
    """A photo brought to the size and colour of the training pictures, in their way."""
    _, height, width, channels = taken.shape
    method = f"Image.Resampling.{str(said.get('interpolation', 'bilinear')).upper()}"
    gray = GRAYS.get(str(said.get("background")), 255)
    size = f"({width}, {height})"
    yield 'picture = ImageOps.exif_transpose(Image.open("photo.png"))'
    yield f'picture = picture.convert("{"L" if channels == 1 else "RGB"}")'
    yield {
        "stretch": f"picture = picture.resize({size}, {method})",
        "pad": f"picture = ImageOps.pad(picture, {size}, {method}, "
        f"color={gray if channels == 1 else (gray,) * 3})",
    }.get(str(said.get("fit")), f"picture = ImageOps.fit(picture, {size}, {method})")
    yield f"pixels = np.asarray(picture, np.uint8).reshape({tuple(taken.shape)})"


def _encoded(taken: Port) -> Iterator[str]:
    """Pixel bytes 0..255 in the file's own form; the bytes themselves where it takes those."""
    if taken.dtype == "uint8" and (not taken.scale or (taken.scale, taken.zero_point) == (1.0, 0)):
        return
    if taken.dtype == "float32":
        yield "pixels = pixels.astype(np.float32)"
        return
    yield f"pixels = np.floor(pixels / {taken.scale!r} + 0.5) + {taken.zero_point}"
    yield f"limits = np.iinfo(np.{taken.dtype})"
    yield f"pixels = pixels.clip(limits.min, limits.max).astype(np.{taken.dtype})"


def _decoded(given: Port) -> Iterator[str]:
    """Probabilities 0..1, of a file that gives integers."""
    if given.dtype != "float32":
        yield f"answer = (answer.astype(np.float32) - {given.zero_point}) * {given.scale!r}"
