"""Decoding: a picture as a source has it to pixels of one size.

The rules of ingest, and those an app has to repeat: upright by EXIF; transparency laid over the
background; palettes, CMYK and other colour spaces to RGB without their colour profile; 16-bit gray
divided by 257 and rounded, 16-bit colour by its high bytes; the first frame of an animation; then
cropped, padded or stretched to size.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from pipeline.data.opening import GRAYS, flattened
from pipeline.data.sources import Images
from pipeline.settings import Ingest

FILE_SIZE = 96  # pictures from files, where a recipe does not say
THUMBNAIL = 16


@dataclass(frozen=True)
class Rules:
    """What every picture of a set is made into. `size` is (height, width); None leaves it."""

    size: tuple[int, int] | None
    fit: str
    interpolation: str
    color: str | None
    background: str
    max_pixels: int

    @classmethod
    def of(
        cls, settings: Ingest, *, files: bool, shape: tuple[int, int, int] | None = None
    ) -> "Rules":
        """Take them from settings; pictures from files have a size and a colour in any case.

        `shape` is theirs, where their source knows it.
        """
        size: int | tuple[int, int] | None = settings.size
        color = settings.color
        if files:
            height, width, channels = shape or (FILE_SIZE, FILE_SIZE, 3)
            size = size or (height, width)
            color = color or ("gray" if channels == 1 else "rgb")
        return cls(
            (size, size) if isinstance(size, int) else size,
            settings.fit,
            settings.interpolation,
            color,
            settings.background,
            settings.max_pixels,
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture that could be read.

    `pixels` is uint8 `(H, W, C)`, `thumbnail` uint8 `(16, 16)`, gray. `digest` is of the pixels
    before they were brought to size, so that a picture is known again in any file format, and
    whatever size is asked for. `width` and `height` are upright, before resizing. `notes` say what
    is odd about it.
    """

    pixels: Images
    thumbnail: Images
    digest: bytes
    width: int
    height: int
    notes: tuple[str, ...] = ()


def decode(content: str | bytes | Images, rules: Rules) -> Decoded:
    """Decode one picture: a path, the bytes of a file, or pixels `(H, W[, C])`.

    Raises:
        Unreadable: with the reason, in words for who has to mend the file.
    """
    image, notes = flattened(content, rules.background, rules.max_pixels)
    digest = hashlib.sha256(f"{image.width} {image.height} ".encode())
    in_colour = image if image.mode == "RGB" else image.convert("RGB")
    digest.update(in_colour.tobytes())  # some formats keep gray pictures in colour
    mode = {"gray": "L", "rgb": "RGB", None: image.mode}[rules.color]
    sized = _sized(image if image.mode == mode else image.convert(mode), rules)
    gray = sized if mode == "L" else sized.convert("L")
    thumbnail = gray.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    pixels = np.asarray(sized)
    return Decoded(
        pixels[..., None] if mode == "L" else pixels,
        np.asarray(thumbnail),
        digest.digest(),
        image.width,
        image.height,
        notes,
    )


def _sized(image: Image.Image, rules: Rules) -> Image.Image:
    if rules.size is None or image.size == rules.size[::-1]:
        return image
    height, width = rules.size
    method = Image.Resampling[rules.interpolation.upper()]
    if rules.fit == "stretch":
        return image.resize((width, height), method)
    if rules.fit == "crop":
        return ImageOps.fit(image, (width, height), method)
    scale = min(width / image.width, height / image.height)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    gray = GRAYS[rules.background]
    padded = Image.new(image.mode, (width, height), gray if image.mode == "L" else (gray,) * 3)
    padded.paste(image.resize(inner, method), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return padded
