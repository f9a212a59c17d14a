"""A sound folder of real pictures, and what an attacker would put beside them."""

import hashlib
import io
import os
import stat
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

CLASSES = ("eight", "nine", "seven")  # sorted, so that a class's place here is its label
EACH = 40
SIDE = 32  # pixels of the pictures, upright and square


@cache
def scans():
    """Scikit-learn's digits, 8x8 gray, as `{digit: uint8 (n, 8, 8)}`."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    return {digit: images[bunch.target == digit] for digit in range(10)}


def gray(digit, number):
    """A digit of 32x32 pixels, `L`: no two numbers give the same."""
    pixels = scans()[digit][number]
    return Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def colored(digit, number):
    """A digit in two colours that fade from left to right, `RGB`, nowhere symmetric."""
    ink = np.asarray(gray(digit, number), np.float64)[..., None] / 255
    ramp = np.linspace(0, 1, SIDE)[None, :, None]
    paper = np.array([240, 200, 90]) * (1 - ramp / 2)
    pen = np.array([20, 60, 160]) * (1 - ramp / 3)
    return Image.fromarray((ink * pen + (1 - ink) * paper).astype(np.uint8))


def sound(folder, classes=CLASSES, each=EACH):
    """Fill a folder with a folder of pictures for each class, gray and coloured PNG."""
    for digit, name in zip((8, 9, 7, 6, 5), classes, strict=False):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            make = colored if number % 4 == 0 else gray
            make(digit, number).save(folder / name / f"{number:03d}.png")
    return folder


def encoded(image, kind, **options):
    """A picture as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_chunks(content):
    """The chunks of a PNG file in turn: name, data."""
    place = 8
    while place < len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        yield name, content[place + 8 : place + 8 + size]
        place += 12 + size


def png_of(chunks):
    """A PNG file of chunks, with checksums that hold."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in chunks:
        parts += [
            struct.pack(">I", len(data)),
            name,
            data,
            struct.pack(">I", zlib.crc32(name + data)),
        ]
    return b"".join(parts)


def png_announcing(width, height):
    """A small sound-looking PNG whose header announces any size: a pixel bomb."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(4096))), (b"IEND", b"")])


def npy(array=None, *, shape=None, descr="|u1", header=None, content=b""):
    """A .npy file: of an array, or with a header that says what it likes before `content`."""
    stream = io.BytesIO()
    if array is not None:
        np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
        return stream.getvalue()
    text = header or repr({"descr": descr, "fortran_order": False, "shape": shape})
    line = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + content


def idx(shape, content, kind=8):
    """An IDX file whose header announces `shape`."""
    return struct.pack(f">{len(shape) + 1}I", kind << 8 | len(shape), *shape) + content


def digits_arrays(count=60):
    """Images `(N, 8, 8)` of the first three digits and their labels, in turn."""
    rows = [(scans()[number % 3][number // 3], number % 3) for number in range(count)]
    return np.stack([image for image, _ in rows]), np.array([label for _, label in rows])


def snapshot(folder):
    """All that can be told of what lies below a folder: kinds, times, links, digests of bytes.

    Through descriptors, since paths may be longer than the system takes.
    """
    found, waiting = {}, [("", os.open(folder, os.O_RDONLY))]
    while waiting:
        place, parent = waiting.pop()
        facts = os.fstat(parent)
        found[place] = [facts.st_mode, facts.st_mtime_ns, facts.st_ino]
        for name in sorted(os.listdir(parent)):  # noqa: PTH208  # Path takes no descriptor
            path, facts = f"{place}/{name}", os.lstat(name, dir_fd=parent)
            if stat.S_ISDIR(facts.st_mode):
                waiting.append((path, os.open(name, os.O_RDONLY, dir_fd=parent)))
                continue
            found[path] = [facts.st_mode, facts.st_mtime_ns, facts.st_ino, facts.st_size]
            if stat.S_ISLNK(facts.st_mode):
                found[path].append(os.readlink(name, dir_fd=parent))
            elif stat.S_ISREG(facts.st_mode):
                with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=parent), "rb") as stream:
                    found[path].append(hashlib.file_digest(stream, "sha256").hexdigest())
        os.close(parent)
    return found
