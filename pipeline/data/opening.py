"""Opening: a file's bytes to an upright picture in gray or RGB, by Pillow, whatever it is named."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from pipeline.data.sources import Images
from pipeline.errors import harmless

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM")
GRAYS = {"white": 255, "gray": 128, "black": 0}
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TO_8_BITS = ((np.arange(65536) + 128) // 257).astype(np.uint8)
GRAY_MODES = {"1", "L", "LA", "La"}
SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
NO_RANGE = {"I": "32-bit", "F": "floating-point"}
HEIF = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")


class Unreadable(Exception):
    """A picture that cannot be taken; its text is the reason."""


def flattened(
    content: str | bytes | Images, background: str, max_pixels: int
) -> tuple[Image.Image, tuple[str, ...]]:
    """Open a path, the bytes of a file, or pixels `(H, W[, C])` as a picture of mode L or RGB.

    It is upright and without transparency; beside it comes what is odd about it.

    Raises:
        Unreadable: with the reason, in words for who has to mend the file.
    """
    if isinstance(content, np.ndarray):
        return _flat(_of_pixels(content), background), ()
    try:
        with _opened(content) as stream, _read(stream, max_pixels) as image:
            notes = list(_notes(content, image))
            return _flat(_upright(image, notes), background), tuple(notes)
    except (Unreadable, MemoryError):
        raise
    except OSError as error:
        raise Unreadable(_of_system(error) or _reason(error)) from error
    except Exception as error:  # Pillow raises whatever its parsers run into
        raise Unreadable(_reason(error)) from error


@contextmanager
def _opened(content: str | bytes) -> Iterator[Any]:
    if isinstance(content, bytes):
        yield io.BytesIO(content)
        return
    with Path(content).open("rb") as stream:
        yield stream


@contextmanager
def _read(stream: Any, max_pixels: int) -> Iterator[Image.Image]:
    """Open and load a picture whose header has been checked against the cap on pixels."""
    with warnings.catch_warnings(), _pillow_allows(max_pixels):
        warnings.simplefilter("ignore")
        try:
            image = Image.open(stream, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise Unreadable(_unknown(stream)) from error
        except Image.DecompressionBombError as error:
            raise Unreadable(f"far more than ingest.max_pixels ({max_pixels:,})") from error
        with image:
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise Unreadable(f"{pixels:,} pixels, more than ingest.max_pixels ({max_pixels:,})")
            if image.mode in SIXTEEN_BITS and isinstance(image, TiffImageFile):
                _require_16_bits(image.tag_v2)
            if image.format == "PNG":  # its checksums are compared by nothing else
                image.verify()
                stream.seek(0)
                with Image.open(stream, formats=("PNG",)) as again:
                    again.load()
                    yield again
            else:
                image.load()
                yield image


def _require_16_bits(tags: Mapping[int, Any]) -> None:
    """Pillow opens gray TIFFs of 9 to 16 bits alike, and such as count from white."""
    bits = tags.get(ExifTags.Base.BitsPerSample, (16,))[0]
    if bits != 16 or tags.get(ExifTags.Base.PhotometricInterpretation) == 0:
        raise Unreadable(
            f"a TIFF of {bits} bits whose range is not known; save it with 8 or 16 bit, black as 0"
        )


@contextmanager
def _pillow_allows(pixels: int) -> Iterator[None]:
    """Set Pillow's own cap, which would refuse large pictures that `ingest.max_pixels` allows."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _unknown(stream: Any) -> str:
    stream.seek(0)
    head = stream.read(64)
    if not head:
        return "empty, 0 bytes"
    if head[4:12] in HEIF:
        return "HEIC, which cannot be read here; export it as JPEG"
    return f"not a picture, or a broken one ({', '.join(FORMATS)} are read)"


def _of_system(error: OSError) -> str | None:
    """The system's reason why a file cannot be opened; Pillow's own errors have no number."""
    return f"cannot be opened: {error.strerror}" if error.errno else None


def _reason(error: Exception) -> str:
    """Pillow's words on one line, without addresses in memory, which differ each time."""
    text = re.sub(r"<[^>]* at 0x[0-9a-f]+>", "file", " ".join(str(error).split()))
    return harmless(f"cannot be decoded: {text or type(error).__name__}"[:300])


def _notes(content: str | bytes, image: Image.Image) -> Iterator[str]:
    if isinstance(content, str):
        suffix = PurePosixPath(content).suffix.lower()
        named = Image.registered_extensions().get(suffix)
        actual = "JPEG" if image.format == "MPO" else image.format
        if named != actual:
            yield f"is {actual}, whatever its name ends with"
    if image.format != "MPO" and getattr(image, "is_animated", False):
        yield "has several frames, of which the first is taken"


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    """Turn by EXIF; where that cannot be parsed, the picture is as it lies, and it is noted.

    Pillow's own function writes the EXIF anew for the picture turned, and fails where it cannot.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # damaged EXIF beside sound pixels, and anything may be raised
        notes.append("has EXIF that cannot be read: taken as it lies")
        return image
    method = UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _of_pixels(pixels: Images) -> Image.Image:
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    return Image.fromarray(np.ascontiguousarray(pixels))


def _flat(image: Image.Image, background: str) -> Image.Image:
    """Bring any mode to L or RGB without transparency."""
    if image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format == "PPM"):
        return _of_16_bits(image, background)
    if image.mode in NO_RANGE:
        raise Unreadable(
            f"{NO_RANGE[image.mode]} pixels, whose range is not known; save it with 8 or 16 bit"
        )
    mode = "L" if image.mode in GRAY_MODES else "RGB"
    if not image.has_transparency_data:
        return image if image.mode == mode else image.convert(mode)
    behind = Image.new("RGBA", image.size, (GRAYS[background],) * 3 + (255,))
    return Image.alpha_composite(behind, image.convert("RGBA")).convert(mode)


def _of_16_bits(image: Image.Image, background: str) -> Image.Image:
    levels = np.asarray(image)
    pixels = TO_8_BITS[levels]
    if "transparency" in image.info:
        pixels[levels == image.info["transparency"]] = GRAYS[background]
    return Image.fromarray(pixels)
