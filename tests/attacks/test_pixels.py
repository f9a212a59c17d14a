"""Odd files that are accepted: their pixels against a computation of our own."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.attacks import corpus
from tests.attacks.watching import accepted
from tests.marks import slow_but

GRAYS = {"white": 255, "gray": 128, "black": 0}
TURNED = {  # by the EXIF standard: what row 0 and column 0 of the file are of the upright picture
    1: lambda up: up,
    2: lambda up: up[:, ::-1],
    3: lambda up: up[::-1, ::-1],
    4: lambda up: up[::-1],
    5: lambda up: up.swapaxes(0, 1),
    6: lambda up: up.swapaxes(0, 1)[::-1],
    7: lambda up: up.swapaxes(0, 1)[::-1, ::-1],
    8: lambda up: up.swapaxes(0, 1)[:, ::-1],
}


def odd(folder, files):
    """Add a class of the files given, as bytes by name."""
    (folder / "odd").mkdir()
    for name, content in files.items():
        (folder / "odd" / name).write_bytes(content)
    return folder


def counted(pictures):
    """How often each picture is there, by its bytes."""
    different, counts = np.unique(
        np.stack([np.asarray(picture).ravel() for picture in pictures]), axis=0, return_counts=True
    )
    return {row.tobytes(): int(count) for row, count in zip(different, counts, strict=True)}


def nearest(pictures, wanted):
    """Largest difference of each wanted picture to the one most like it; and none stands twice."""
    apart = np.array(
        [[np.abs(np.int64(one) - np.int64(other)).max() for other in pictures] for one in wanted]
    )
    assert len(set(apart.argmin(axis=1).tolist())) == len(wanted) == len(pictures)
    return apart.min(axis=1)


def wide(number):
    """A coloured picture of 24 rows and 32 columns: a turn is seen in its shape, too."""
    return np.asarray(corpus.colored(6, number))[4:28]


def exif(orientation):
    facts = Image.Exif()
    facts[274] = orientation
    return facts


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_pictures_are_upright_by_exif_to_the_pixel(take, sound, kind):
    files = {
        f"{number}{turn}": corpus.encoded(
            Image.fromarray(turned(wide(number))), kind, exif=exif(turn), lossless=True
        )
        for number in range(3)
        for turn, turned in TURNED.items()
    }
    taken = accepted(take(odd(sound, files), size=[24, 32]))
    assert counted(taken.pictures("odd")) == {wide(number).tobytes(): 8 for number in range(3)}


@pytest.mark.parametrize("kind", slow_but(["JPEG"], ["JPEG", "AVIF"]))
def test_pictures_are_upright_by_exif_up_to_what_the_format_loses(take_apart, sound, kind):
    files = {
        f"{number}{turn}": corpus.encoded(
            Image.fromarray(turned(wide(number))), kind, exif=exif(turn), quality=98, subsampling=0
            if kind == "JPEG" else "4:4:4",
        )
        for number in range(3)
        for turn, turned in TURNED.items()
    }  # fmt: skip
    pictures = accepted(take_apart(odd(sound, files), size=[24, 32])).pictures("odd")
    assert len(pictures) == 24
    for number in range(3):
        apart = np.abs(pictures.astype(int) - wide(number)).mean(axis=(1, 2, 3))
        assert sum(apart < 2) == 8
        assert min(apart[apart >= 2]) > 5


def test_exif_that_cannot_be_written_anew_turns_all_the_same(take, sound):
    """A width of -5 beside the orientation is read without a word, but Pillow cannot write it."""
    entries = struct.pack(">HHIHH", 0x112, 3, 1, 6, 0) + struct.pack(">HHIi", 0x100, 9, 1, -5)
    odd_exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + entries + bytes(4)
    files = {
        f"{number}.{kind}": corpus.encoded(
            Image.fromarray(TURNED[6](wide(number))), kind, exif=odd_exif, lossless=True
        )
        for number in range(3)
        for kind in ("PNG", "WEBP")
    }
    with Image.open(io.BytesIO(files["0.PNG"])) as image, pytest.raises(struct.error):
        ImageOps.exif_transpose(image)
    taken = accepted(take(odd(sound, files), size=[24, 32]))
    assert counted(taken.pictures("odd")) == {wide(number).tobytes(): 2 for number in range(3)}


def test_exif_that_cannot_be_read_is_noted(take, sound):
    files = {
        f"{number}.png": corpus.encoded(
            Image.fromarray(wide(number)), "PNG", exif=b"Exif\0\0no such thing"
        )
        for number in range(3)
    }
    taken = accepted(take(odd(sound, files), size=[24, 32]))
    assert counted(taken.pictures("odd")) == {wide(number).tobytes(): 1 for number in range(3)}
    assert set(taken.said("noted")) == {f"odd/{name}" for name in files}


@pytest.mark.parametrize("kind", slow_but(["PNG"], ["PNG", "TIFF", "PPM"]))
def test_16_bit_gray_is_divided_by_257_and_rounded(take, sound, kind):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    levels = [np.roll(levels, number * 1000) for number in range(3)]
    files = {
        str(number): corpus.encoded(Image.fromarray(one), kind) for number, one in enumerate(levels)
    }
    taken = accepted(take(odd(sound, files), "ingest.color=gray", size=256))
    wanted = [np.rint(one / 257).astype(np.uint8) for one in levels]
    assert counted(taken.pictures("odd")) == counted(wanted)


def test_a_level_of_16_bit_gray_may_be_transparent(take, sound):
    files, wanted = {}, []
    for number in range(3):
        levels = np.full((32, 32), 257 * 9 * (number + 1), np.uint16)
        levels[:16] = 4000
        files[str(number)] = corpus.encoded(Image.fromarray(levels), "PNG", transparency=4000)
        wanted.append(np.where(levels == 4000, 128, 9 * (number + 1)).astype(np.uint8))
    words = ("ingest.color=gray", "ingest.background=gray")
    taken = accepted(take(odd(sound, files), *words, size=32))
    assert counted(taken.pictures("odd")) == counted(wanted)


def see_through(number):
    """Colours with an opacity that falls from top to bottom: float `(32, 32, 3)`, `(32, 32, 1)`."""
    colours = np.asarray(corpus.colored(6, number))
    opacity = np.linspace(255, 0, 32).round().astype(np.uint8)[:, None, None]
    return colours, np.broadcast_to(opacity, (32, 32, 1))


@pytest.mark.parametrize("background", ["white", "gray", "black"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_what_is_transparent_shows_the_background(take, sound, kind, mode, background):
    files, wanted = {}, []
    for number in range(3):
        colours, opacity = see_through(number)
        image = Image.fromarray(np.concatenate([colours, opacity], axis=2))
        if mode == "LA":
            image = image.convert("LA")
            colours = np.repeat(np.asarray(image)[..., :1], 3, axis=2)
        files[str(number)] = corpus.encoded(image, kind)
        share = opacity / 255
        wanted.append(colours * share + GRAYS[background] * (1 - share))
    taken = accepted(take(odd(sound, files), f"ingest.background={background}", size=32))
    assert nearest(taken.pictures("odd"), np.rint(wanted)).max() <= 1


def plain(cmyk):
    """What CMYK inks leave of white light, each for itself."""
    inks = cmyk.astype(float) / 255
    return np.rint(255 * (1 - inks[..., :3]) * (1 - inks[..., 3:]))


def cmyk(number):
    smooth = np.asarray(corpus.colored(6, number).convert("CMYK")).copy()
    smooth[..., 3] = np.linspace(0, 120, 32)[:, None]
    return smooth


def test_cmyk_is_what_its_inks_leave_of_white(take, sound):
    files = {
        str(number): corpus.encoded(Image.fromarray(cmyk(number), "CMYK"), "TIFF")
        for number in range(3)
    }
    pictures = accepted(take(odd(sound, files), size=32)).pictures("odd")
    assert nearest(pictures, [plain(cmyk(number)) for number in range(3)]).max() <= 1


def test_cmyk_jpeg_is_not_inverted(take, sound):
    files = {
        f"{number}.jpg": corpus.encoded(
            Image.fromarray(cmyk(number), "CMYK"), "JPEG", quality=98, subsampling=0
        )
        for number in range(3)
    }
    taken = accepted(take(odd(sound, files), size=32))
    pictures = taken.pictures("odd")
    wanted = [Image.open(sound / "odd" / name).convert("RGB") for name in files]
    assert counted(pictures) == counted(wanted)
    for number in range(3):
        apart = np.abs(pictures - plain(cmyk(number))).mean(axis=(1, 2, 3))
        assert apart.min() < 3


@pytest.mark.parametrize("background", ["white", "black"])
@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_is_looked_up_and_may_hold_a_transparent_colour(take, sound, kind, background):
    palette = np.random.default_rng(3).integers(0, 256, (256, 3), np.uint8)
    files, wanted = {}, []
    for number in range(3):
        image = Image.fromarray(np.asarray(corpus.gray(6, number)), "P")
        image.putpalette(palette.tobytes())
        files[f"{number}"] = corpus.encoded(image, kind, transparency=0, optimize=False)
        colours = np.where(np.arange(256)[:, None] == 0, GRAYS[background], palette)
        wanted.append(colours[np.asarray(image)].astype(np.uint8))
    taken = accepted(take(odd(sound, files), f"ingest.background={background}", size=32))
    assert counted(taken.pictures("odd")) == counted(wanted)


def test_black_and_white_is_0_and_255(take, sound):
    bits = [np.asarray(corpus.gray(6, number)) > 99 for number in range(3)]
    files = {
        f"{number}.{kind}": corpus.encoded(Image.fromarray(one), kind)
        for number, one in enumerate(bits)
        for kind in ("PNG", "TIFF", "BMP", "PPM")
    }
    taken = accepted(take(odd(sound, files), "ingest.color=gray", size=32))
    wanted = [one * np.uint8(255) for one in bits]
    assert counted(taken.pictures("odd")) == dict.fromkeys(counted(wanted), 4)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken_and_that_is_noted(take, sound, kind):
    files = {}
    for number in range(3):
        frames = [corpus.gray(6, number), corpus.gray(1, 0), corpus.gray(1, 1)]
        options = {} if kind == "TIFF" else {"duration": 100}
        if kind == "WEBP":
            options["lossless"] = True
        files[f"{number}.{kind.lower().replace('tiff', 'tif')}"] = corpus.encoded(
            frames[0], kind, save_all=True, append_images=frames[1:], **options
        )
    taken = accepted(take(odd(sound, files), size=32))
    wanted = [corpus.gray(6, number).convert("RGB") for number in range(3)]
    assert counted(taken.pictures("odd")) == counted(wanted)
    assert set(taken.said("noted")) == {f"odd/{name}" for name in files}
    assert set(taken.said("noted").values()) == {"has several frames, of which the first is taken"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM"])
def test_junk_behind_a_picture_changes_no_pixel(take, sound, kind):
    """Copies with junk are known as the pictures they are copies of, and so stay together."""
    files = {}
    for number in range(3):
        content = corpus.encoded(corpus.colored(6, number), kind)
        files[f"{number}"] = content
        files[f"{number} with junk"] = content + np.random.default_rng(1).bytes(999)
        files[f"{number} with zeros"] = content + bytes(99)
    taken = accepted(take(odd(sound, files), size=32))
    assert sorted(counted(taken.pictures("odd")).values()) == [3, 3, 3]
    assert taken.audit["duplicates"]["groups"] == 3


def test_a_wrong_extension_is_accepted_and_noted(take_apart, sound):
    files = {
        "jpeg.png": corpus.encoded(corpus.gray(6, 0), "JPEG"),
        "png.jpg": corpus.encoded(corpus.gray(6, 1), "PNG"),
        "gif.txt": corpus.encoded(corpus.gray(6, 2), "GIF"),
        "none": corpus.encoded(corpus.gray(6, 3), "BMP"),
        "right.jpeg": corpus.encoded(corpus.gray(6, 4), "JPEG"),
    }
    taken = accepted(take_apart(odd(sound, files)))
    assert len(taken.pictures("odd")) == 5
    assert taken.said("noted") == {
        "odd/jpeg.png": "is JPEG, whatever its name ends with",
        "odd/png.jpg": "is PNG, whatever its name ends with",
        "odd/gif.txt": "is GIF, whatever its name ends with",
        "odd/none": "is BMP, whatever its name ends with",
    }


def test_colour_profiles_and_16_bit_colour_are_as_decoding_says(take, sound):
    """16-bit colour by its high bytes: 0x1234 is 0x12."""
    files, wanted = {}, []
    for number in range(3):
        words = np.random.default_rng(number).integers(0, 65536, (32, 32, 3), np.uint16)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in words)
        header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        files[str(number)] = corpus.png_of(chunks)
        wanted.append((words >> 8).astype(np.uint8))
    taken = accepted(take(odd(sound, files), size=32))
    assert counted(taken.pictures("odd")) == counted(wanted)


@pytest.mark.parametrize("fit", slow_but(["crop"], ["crop", "pad", "stretch"]))
def test_a_thread_of_a_picture_comes_to_size(take_apart, sound, fit):
    """1 pixel by 5000, and the other way round: as asked for, not an error, not a picture lost."""
    ramps = [np.linspace(number * 20, 250, 5000).round().astype(np.uint8) for number in range(3)]
    files = {}
    for number, ramp in enumerate(ramps):
        files[f"tall{number}.png"] = corpus.encoded(Image.fromarray(ramp[:, None]), "PNG")
        files[f"wide{number}.png"] = corpus.encoded(Image.fromarray(ramp[None, :]), "PNG")
    words = (f"ingest.fit={fit}", "ingest.interpolation=box", "ingest.color=gray")
    pictures = accepted(take_apart(odd(sound, files), *words, size=10)).pictures("odd")[..., 0]
    means = np.stack([ramp.reshape(10, 500).mean(axis=1) for ramp in ramps])
    if fit == "stretch":
        tall = [np.repeat(mean[:, None], 10, axis=1) for mean in means]
    elif fit == "pad":
        tall = [np.full((10, 10), 255.0) for _ in means]
        for one, mean in zip(tall, means, strict=True):
            one[:, 4] = mean
    else:
        tall = [np.full((10, 10), ramp[2499:2501].mean()) for ramp in ramps]
    for picture in [*tall, *(one.T for one in tall)]:
        apart = np.abs(pictures - picture).max(axis=(1, 2))
        assert apart.min() <= 1
    assert pictures.shape == (6, 10, 10)
