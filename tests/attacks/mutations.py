"""Sound files, and random damage to them that a seed decides."""

import io

import numpy as np
from PIL import Image

from tests.attacks import corpus

SEED = 20


def sound_files():
    """Files of one class in all formats, depths and compressions that Pillow writes, by name."""
    colour, gray = corpus.colored(6, 0), corpus.gray(6, 0)
    alpha = colour.copy()
    alpha.putalpha(gray)
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    frames = {"save_all": True, "append_images": [corpus.gray(6, 1)]}
    made = {
        "jpeg": (colour, "JPEG", {"exif": exif}),
        "progressive": (colour, "JPEG", {"progressive": True}),
        "gray_jpeg": (gray, "JPEG", {}),
        "cmyk": (colour.convert("CMYK"), "JPEG", {}),
        "png": (colour, "PNG", {"exif": exif}),
        "alpha": (alpha, "PNG", {}),
        "palette": (colour.quantize(16), "PNG", {"transparency": 3}),
        "deep": (deep, "PNG", {}),
        "gif": (colour, "GIF", {}),
        "animation": (gray, "GIF", frames),
        "bmp": (colour, "BMP", {}),
        "bits": (gray.convert("1"), "BMP", {}),
        "tiff": (colour, "TIFF", {"exif": exif}),
        "lzw": (colour, "TIFF", {"compression": "tiff_lzw"}),
        "deflate": (deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "packbits": (gray, "TIFF", {"compression": "packbits"}),
        "fax": (gray.convert("1"), "TIFF", {"compression": "group4"}),
        "webp": (alpha, "WEBP", {}),
        "lossless": (colour, "WEBP", {"lossless": True}),
        "avif": (colour, "AVIF", {}),
        "ppm": (colour, "PPM", {}),
        "pgm": (deep, "PPM", {}),
    }
    return {name: corpus.encoded(image, kind, **more) for name, (image, kind, more) in made.items()}


def flip(content, random):
    """Change some bytes, one to a tenth of them."""
    count = int(random.integers(1, max(2, len(content) // 10)))
    for place in random.integers(0, len(content), count):
        content[place] ^= int(random.integers(1, 256))
    return content


def cut(content, random):
    """Leave the end out."""
    return content[: random.integers(0, len(content))]


def insert(content, random):
    """Put bytes in between."""
    place = random.integers(0, len(content))
    return content[:place] + random.bytes(int(random.integers(1, 200))) + content[place:]


def change_head(content, random):
    """Change the first bytes, where sizes, depths and offsets stand, to extremes."""
    for place in random.integers(0, min(len(content), 64), int(random.integers(1, 6))):
        content[place] = int(random.choice([0, 1, 127, 128, 255]))
    return content


def swap(content, random):
    """Exchange two stretches."""
    one, two, three, four = sorted(random.integers(0, len(content), 4))
    return (
        content[:one] + content[three:four] + content[two:three] + content[one:two] + content[four:]
    )


def repeat(content, random):
    """Have a stretch twice."""
    one, two = sorted(random.integers(0, len(content), 2))
    return content[:two] + content[one:]


KINDS = (flip, cut, insert, change_head, swap, repeat)


def mutated(files, count, seed=SEED):
    """Yield so many damaged files, `(name, bytes)`, each damaged in one way or two."""
    random = np.random.default_rng(seed)
    names = sorted(files)
    for number in range(count):
        name = names[number % len(names)]
        content = bytearray(files[name])
        for _ in range(random.integers(1, 3)):
            if content:
                way = KINDS[random.integers(len(KINDS))]
                content = bytearray(way(content, random))
        yield f"{number:04d}.{name}", bytes(content)


def npz(**arrays):
    """An .npz file as bytes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()
