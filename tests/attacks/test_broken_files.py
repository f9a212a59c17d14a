"""Files that are no sound picture: each is set aside with its reason, the others are taken."""

import time
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.attacks import corpus
from tests.attacks.watching import accepted


def png():
    return corpus.encoded(corpus.colored(6, 0), "PNG")


def flipped_checksum(name):
    """A PNG in which one chunk's checksum has one bit wrong."""
    *chunks, end = corpus.png_chunks(png())
    content = bytearray(corpus.png_of([*chunks, (b"tEXt", b"a\0b"), end]))
    place = content.index(name)
    size = int.from_bytes(content[place - 4 : place], "big")
    content[place + 4 + size] ^= 1
    return bytes(content)


def tall(kind, **options):
    """A picture large enough that its file has a middle."""
    image = corpus.colored(6, 0).resize((200, 200), Image.Resampling.BICUBIC)
    return corpus.encoded(image, kind, **options)


def half(kind, **options):
    content = tall(kind, **options)
    return content[: len(content) // 2]


BROKEN = {
    "zero.jpg": (lambda: b"", "empty, 0 bytes"),
    "text.jpg": (lambda: b"this is no picture, whatever its name says\n" * 9, "not a picture"),
    "page.png": (lambda: b"<html><body>404 Not Found</body></html>", "not a picture"),
    "noise.jpg": (lambda: np.random.default_rng(1).bytes(5000), "not a picture"),
    "head.png": (lambda: png()[:20], ""),
    "cut.jpg": (lambda: half("JPEG"), "cannot be decoded: image file is truncated"),
    "progressive.jpg": (lambda: half("JPEG", progressive=True), "cannot be decoded"),
    "cut.png": (lambda: half("PNG"), "cannot be decoded"),
    "cut.gif": (lambda: half("GIF"), "cannot be decoded"),
    "cut.bmp": (lambda: half("BMP"), "cannot be decoded"),
    "cut.tif": (lambda: half("TIFF"), ""),
    "cut.webp": (lambda: half("WEBP"), ""),
    "cut.avif": (lambda: half("AVIF"), ""),
    "cut.ppm": (lambda: half("PPM"), "cannot be decoded"),
    "endless.png": (lambda: tall("PNG")[:-12], "cannot be decoded"),
    "crc.png": (lambda: flipped_checksum(b"IDAT"), "cannot be decoded: broken PNG file"),
    "head_crc.png": (lambda: flipped_checksum(b"IHDR"), "not a picture, or a broken one"),
    "text_crc.png": (lambda: flipped_checksum(b"tEXt"), "cannot be decoded: broken PNG file"),
    "bomb.png": (lambda: corpus.png_announcing(12000, 12000), "144,000,000 pixels, more than"),
    "large_bomb.png": (lambda: corpus.png_announcing(60000, 60000), "far more than"),
    "flat.png": (lambda: corpus.png_announcing(0, 10), ""),
    "photo.jpg": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
    "float.tif": (lambda: corpus.encoded(corpus.gray(6, 0).convert("F"), "TIFF"), "floating-point"),
    "deep.tif": (
        lambda: corpus.encoded(Image.fromarray(np.full((9, 9), 70000, np.int32)), "TIFF"),
        "32-bit pixels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_set_aside_for_what_it_is(take, sound, name):
    make, reason = BROKEN[name]
    (sound / "nine" / name).write_bytes(make())
    taken = accepted(take(sound))
    assert list(taken.said()) == [f"nine/{name}"]
    assert reason in taken.said()[f"nine/{name}"]
    assert taken.accounted == taken.audit["found"] == 3 * corpus.EACH + 1
    assert len(taken.audit["quarantined"]) == 1
    assert f"set aside: nine/{name}: " in taken.log


def test_all_of_them_at_once_spoil_none_of_the_others(take_apart, sound):
    for name, (make, _) in BROKEN.items():
        (sound / "nine" / name).write_bytes(make())
    taken = accepted(take_apart(sound, "ingest.max_bad_fraction=0.3"))
    assert sorted(taken.said()) == sorted(f"nine/{name}" for name in BROKEN)
    assert len(taken.pictures("nine")) == corpus.EACH


KINDS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP")


def test_a_picture_cut_anywhere_is_whole_or_set_aside(take, sound):
    """The one thing that must not be: part of a picture, the rest of it gray, taken as a whole."""
    for place, kind in enumerate(KINDS):
        (sound / kind).mkdir()
        for number in range(3):
            whole = corpus.encoded(corpus.colored(place, number), kind)
            (sound / kind / f"whole{number}").write_bytes(whole)
        for size in np.linspace(1, len(whole) - 1, 40).astype(int):
            (sound / kind / f"{size}").write_bytes(whole[:size])
    taken = accepted(take(sound, "ingest.max_bad_fraction=0.99", size=corpus.SIDE))
    for kind in KINDS:
        different = {picture.tobytes() for picture in taken.pictures(kind)}
        assert len(different) == 3, kind


def test_a_bomb_is_defused_before_it_takes_memory_or_time(take, sound):
    header, _, end = corpus.png_chunks(corpus.png_announcing(30000, 30000))
    pixels = (b"IDAT", zlib.compress(bytes(100_000_000)))
    bomb = corpus.png_of([header, pixels, end])
    (sound / "nine" / "bomb.png").write_bytes(bomb)
    started = time.monotonic()
    taken = accepted(take(sound))
    assert time.monotonic() - started < 20
    assert "ingest.max_pixels" in taken.said()["nine/bomb.png"]


@pytest.mark.parametrize(
    ("cap", "aside"),
    [pytest.param(200_000_000, 0, marks=pytest.mark.slow), (199_999_999, 1), (10_099, 2)],
)
def test_the_cap_on_pixels_is_the_recipes_alone(take, tmp_path, cap, aside):
    """Pillow has a cap of its own, which must not refuse what a recipe allows."""
    photos = corpus.sound(tmp_path / "photos", each=4)
    Image.new("1", (20000, 10000)).save(photos / "nine" / "map.tif", compression="group4")
    Image.new("1", (101, 100), 1).save(photos / "nine" / "small.png")
    taken = take(photos, f"ingest.max_pixels={cap}", "ingest.max_bad_fraction=0.5")
    assert list(accepted(taken).said()) == ["nine/map.tif", "nine/small.png"][:aside]
