import io
import struct

import numpy as np
import pytest
from PIL import Image

from pipeline.data.decoding import Rules, decode
from pipeline.data.opening import Unreadable
from pipeline.settings import Ingest

ORIENTATION = 0x0112
LOSSLESS = {
    "png": {},
    "bmp": {},
    "tiff": {},
    "gif": {},
    "ppm": {},
    "webp": {"lossless": True},
}


def rules(files=False, **said):
    return Rules.of(Ingest(**said), files=files)


def written(image, format="png", **how):
    stream = io.BytesIO()
    image.save(stream, format, **how)
    return stream.getvalue()


def decoded(content, files=False, **said):
    return decode(content, rules(files, **said))


@pytest.fixture
def digit(digits):
    """One digit, uint8 (8, 8): gray, and different from itself however it is turned."""
    return digits[0][5, ..., 0]


def gradient(*colors):
    """Stripes, one pixel each, of these colours."""
    return Image.fromarray(np.array([colors], np.uint8))


def test_gray_stays_gray_and_colour_colour_where_nothing_is_asked(digit, photo):
    assert np.array_equal(decoded(written(Image.fromarray(digit))).pixels[..., 0], digit)
    assert np.array_equal(decoded(written(Image.fromarray(photo))).pixels, photo)
    assert np.array_equal(decoded(photo).pixels, photo)
    assert decoded(digit).pixels.shape == decoded(digit[..., None]).pixels.shape == (8, 8, 1)


def test_files_come_in_rgb_and_96_pixels_unless_told_otherwise(digit, photo):
    assert decoded(written(Image.fromarray(digit)), files=True).pixels.shape == (96, 96, 3)
    said = decoded(written(Image.fromarray(photo)), files=True, size=(10, 20), color="gray")
    assert said.pixels.shape == (10, 20, 1)


def test_gray_is_three_equal_channels_and_colour_its_luminance(digit, photo):
    rgb = decoded(digit, color="rgb").pixels
    assert np.array_equal(rgb, np.repeat(digit[..., None], 3, axis=-1))
    gray = decoded(photo, color="gray").pixels[..., 0]
    luminance = photo @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray - luminance).max() <= 1


def test_one_bit_is_black_and_white(digit):
    bits = decoded(written(Image.fromarray(digit > 99))).pixels[..., 0]
    assert np.array_equal(bits, np.where(digit > 99, 255, 0))


def test_a_palette_is_its_colours():
    colors = [(255, 0, 0), (0, 255, 0), (12, 34, 56)]
    image = gradient(*colors).quantize(4)
    assert image.mode == "P"
    assert decoded(written(image)).pixels.tolist() == [[list(color) for color in colors]]


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("gray", 128), ("black", 0)])
def test_transparent_pixels_show_the_background(background, level):
    rgba = gradient((200, 100, 0, 255), (200, 100, 0, 0), (200, 100, 0, 128))
    [[solid, clear, half]] = decoded(written(rgba), background=background).pixels.astype(int)
    assert solid.tolist() == [200, 100, 0]
    assert clear.tolist() == [level] * 3
    assert np.abs(half - np.array([200, 100, 0]) * 128 / 255 - level * 127 / 255).max() <= 1


def test_transparency_is_found_in_every_form_it_comes_in():
    palette = gradient((255, 0, 0), (0, 0, 255)).quantize(2)
    first = palette.getpixel((0, 0))
    png = written(palette, transparency=first)
    assert Image.open(io.BytesIO(png)).mode == "P"
    white, blue = [255, 255, 255], [0, 0, 255]
    assert decoded(png).pixels.tolist() == [[white, blue]]
    keyed = written(gradient((255, 0, 0), (0, 0, 255)), transparency=(255, 0, 0))
    assert decoded(keyed).pixels.tolist() == [[white, blue]]
    gray = Image.fromarray(np.array([[[9, 255], [9, 0]]], np.uint8), "LA")
    assert decoded(written(gray)).pixels.tolist() == [[[9], [255]]]
    assert decoded(written(gray), background="black").pixels.tolist() == [[[9], [0]]]
    array = np.array([[[255, 0, 0, 0], [0, 0, 255, 255]]], np.uint8)
    assert decoded(array).pixels.tolist() == [[white, blue]]


def test_a_fourth_channel_of_pixels_is_opacity_and_not_taken_for_a_colour(photo):
    solid = np.concatenate([photo, np.full((60, 80, 1), 255, np.uint8)], axis=-1)
    assert np.array_equal(decoded(solid).pixels, photo)


@pytest.mark.parametrize("format", ["tiff", "jpeg"])
def test_cmyk_is_brought_to_rgb(format):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels = decoded(written(image, format)).pixels
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_16_bit_gray_is_divided_by_257_and_rounded(format):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = decoded(written(Image.fromarray(levels), format)).pixels
    assert np.array_equal(pixels[..., 0], np.round(levels / 257))


def test_16_bit_gray_of_the_other_byte_order_and_of_ppm_is_the_same():
    levels = np.array([[0, 128, 129, 257], [300, 32768, 65407, 65535]], np.uint16)
    expected = np.round(levels / 257)
    tiff = written(Image.fromarray(levels.astype(">u2")), "tiff")
    ppm = b"P5 4 2 65535\n" + levels.astype(">u2").tobytes()
    assert np.array_equal(decoded(tiff).pixels[..., 0], expected)
    assert np.array_equal(decoded(ppm).pixels[..., 0], expected)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.array([[0, 255]], np.int32), "32-bit pixels"),
        (np.array([[-1, 100_000]], np.int32), "32-bit pixels"),
        (np.array([[0.0, 1.0]], np.float32), "floating-point pixels"),
    ],
)
def test_pixels_whose_range_is_not_known_are_refused(values, says):
    with pytest.raises(Unreadable, match=f"{says}, whose range is not known"):
        decoded(written(Image.fromarray(values), "tiff"))


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, lambda image: image),
        (2, np.fliplr),
        (3, lambda image: np.rot90(image, 2)),
        (4, np.flipud),
        (5, lambda image: np.swapaxes(image, 0, 1)),
        (6, lambda image: np.rot90(image, 1)),
        (7, lambda image: np.rot90(np.swapaxes(image, 0, 1), 2)),
        (8, lambda image: np.rot90(image, -1)),
    ],
)
@pytest.mark.parametrize("format", ["png", "tiff", "webp"])
def test_every_orientation_of_exif_is_turned_upright(orientation, undo, format, photo):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    lying = Image.fromarray(np.ascontiguousarray(undo(photo)))
    found = decoded(written(lying, format, exif=exif, **LOSSLESS[format]))
    assert np.array_equal(found.pixels, photo)
    assert (found.width, found.height) == (80, 60)
    assert found.digest == decoded(photo).digest


def test_damaged_exif_beside_sound_pixels_leaves_them_as_they_lie(photo):
    lying = written(Image.fromarray(photo), "png", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12")
    assert np.array_equal(decoded(lying).pixels, photo)


@pytest.mark.parametrize("format", LOSSLESS)
def test_one_picture_has_one_digest_in_every_format(format, digit, photo):
    for pixels in (digit, photo) if format != "gif" else (digit,):  # GIF has 256 colours
        found = decoded(written(Image.fromarray(pixels), format, **LOSSLESS[format]))
        assert found.digest == decoded(pixels).digest
        assert len(found.digest) == 32


def test_the_digest_does_not_ask_what_the_picture_is_made_into(photo):
    plain = decoded(photo).digest
    for said in (
        {"size": 17},
        {"size": (5, 9), "fit": "pad"},
        {"color": "gray"},
        {"size": 30, "interpolation": "nearest"},
    ):
        assert decoded(photo, **said).digest == plain
    assert decoded(written(Image.fromarray(photo)), files=True).digest == plain


def test_another_picture_has_another_digest(photo):
    changed = photo.copy()
    changed[3, 4, 1] ^= 1
    others = [changed, photo[::-1], photo.reshape(80, 60, 3), photo[..., 0]]
    assert len({decoded(one).digest for one in [photo, *others]}) == 5


def test_width_and_height_are_those_before_resizing(photo):
    found = decoded(photo, size=7)
    assert (found.width, found.height, found.pixels.shape) == (80, 60, (7, 7, 3))


def test_without_a_size_arrays_stay_as_they_are(photo):
    assert decoded(photo).pixels.shape == (60, 80, 3)
    assert decoded(photo, size=(60, 80), interpolation="lanczos").pixels.tobytes() == (
        photo.tobytes()
    )


@pytest.fixture
def stripes():
    """Three equal parts from left to right: black, gray, white; 30 high, 90 wide."""
    return np.repeat(np.array([[0, 128, 255]], np.uint8), 30, axis=1).repeat(30, axis=0)


def test_crop_keeps_the_middle_and_its_proportions(stripes):
    assert np.unique(decoded(stripes, size=30, fit="crop").pixels).tolist() == [128]
    tall = decoded(np.ascontiguousarray(stripes.T), size=30, fit="crop")
    assert np.unique(tall.pixels).tolist() == [128]


def test_stretch_keeps_the_whole_and_not_its_proportions(stripes):
    pixels = decoded(stripes, size=30, fit="stretch", interpolation="box").pixels[..., 0]
    assert np.array_equal(pixels, stripes[:, ::3])


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("gray", 128), ("black", 0)])
def test_pad_keeps_the_whole_in_the_middle_of_the_background(stripes, background, level):
    found = decoded(stripes, size=30, fit="pad", interpolation="box", background=background)
    assert np.array_equal(found.pixels[10:20, :, 0], stripes[:10, ::3])
    assert (found.pixels[:10] == level).all()
    assert (found.pixels[20:] == level).all()
    color = decoded(
        np.repeat(stripes[..., None], 3, axis=-1), size=30, fit="pad", background=background
    )
    assert color.pixels[0, 0].tolist() == [level] * 3


def test_pad_enlarges_too(digit):
    pixels = decoded(digit, size=(16, 32), fit="pad", interpolation="nearest").pixels[..., 0]
    assert np.array_equal(pixels[:, 8:24], digit.repeat(2, 0).repeat(2, 1))
    assert (pixels[:, :8] == 255).all()
    assert (pixels[:, 24:] == 255).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1), (2, 3000, 3)])
def test_no_proportions_are_too_extreme(fit, shape):
    found = decoded(np.full(shape, 77, np.uint8), size=(24, 32), fit=fit)
    assert found.pixels.shape[:2] == (24, 32)
    assert 77 in found.pixels
    assert set(np.unique(found.pixels)) <= ({77, 255} if fit == "pad" else {77})


@pytest.mark.parametrize("name", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
def test_interpolation_is_the_filter_of_pillow_of_that_name(name, photo):
    method = getattr(Image.Resampling, name.upper())
    expected = np.asarray(Image.fromarray(photo).resize((13, 11), method))
    found = decoded(photo, size=(11, 13), fit="stretch", interpolation=name).pixels
    assert np.array_equal(found, expected)


def test_shrinking_averages_what_it_leaves_out():
    board = np.indices((64, 64)).sum(0) % 2 * 255
    pixels = decoded(board.astype(np.uint8), size=8).pixels
    assert np.abs(pixels.astype(int) - 127).max() <= 2


def test_a_thumbnail_is_the_picture_in_16_by_16_gray_means(photo):
    found = decoded(photo, size=64, fit="stretch")
    means = np.asarray(Image.fromarray(found.pixels).convert("L"), float)
    means = means.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert found.thumbnail.shape == (16, 16)
    assert np.abs(found.thumbnail - means).max() <= 1


def test_what_a_file_is_is_told_by_its_content_and_a_wrong_name_noted(tmp_path, digit):
    for name, notes in (
        ("right.png", ()),
        ("RIGHT.PNG", ()),
        ("wrong.jpg", ("is PNG, whatever its name ends with",)),
        ("none", ("is PNG, whatever its name ends with",)),
    ):
        path = tmp_path / name
        path.write_bytes(written(Image.fromarray(digit)))
        found = decoded(str(path))
        assert np.array_equal(found.pixels[..., 0], digit)
        assert found.notes == notes


def test_the_first_frame_of_an_animation_is_taken_and_noted(digits):
    frames = [Image.fromarray(image[..., 0]) for image in digits[0][:3]]
    for format, how in (("gif", {}), ("png", {}), ("tiff", {}), ("webp", {"lossless": True})):
        content = written(frames[0], format, save_all=True, append_images=frames[1:], **how)
        found = decoded(content, color="gray")
        assert np.array_equal(found.pixels, digits[0][0])
        assert found.notes == ("has several frames, of which the first is taken",)


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(photo, monkeypatch):
    content = written(Image.fromarray(photo))
    assert decoded(content, max_pixels=4800).width == 80
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("was decoded"))
    for most in (4799, 1000):  # Pillow raises by itself above twice its limit
        with pytest.raises(Unreadable, match=rf"more than ingest\.max_pixels \({most:,}\)"):
            decoded(content, max_pixels=most)


def test_the_cap_on_pixels_is_the_recipes_and_pillows_own_is_left_as_it_was(photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decoded(written(Image.fromarray(photo))).width == 80
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty, 0 bytes"),
        (b"no picture", "not a picture, or a broken one"),
        (b"\0\0\0\x18ftypheic", "HEIC, which cannot be read here"),
        ("/nowhere/at all.png", "cannot be opened: No such file or directory"),
    ],
)
def test_what_cannot_be_read_has_a_reason_of_one_line(content, says):
    with pytest.raises(Unreadable, match=says) as caught:
        decoded(content)
    assert "\n" not in str(caught.value)


def test_the_same_damage_has_the_same_words_each_time(photo):
    content = written(Image.fromarray(photo), "jpeg")[:-400]
    said = set()
    for _ in range(3):
        with pytest.raises(Unreadable) as caught:
            decoded(content)
        said.add(str(caught.value))
    assert len(said) == 1
    assert "0x" not in said.pop()


def test_a_png_whose_checksum_is_wrong_is_refused(photo):
    content = bytearray(written(Image.fromarray(photo)))
    start = content.index(b"IDAT")
    content[start + 4 + int.from_bytes(content[start - 4 : start])] ^= 1
    with pytest.raises(Unreadable, match="cannot be decoded"):
        decoded(bytes(content))


def test_a_gray_tiff_of_other_than_16_bits_or_with_white_as_0_is_refused():
    def tiff(bits, white_is_0):
        """A gray TIFF of 8x8 pixels, all bits set, written by hand."""
        tags = [(256, 8), (257, 8), (258, bits), (259, 1), (262, 1 - white_is_0), (273, 200),
                (277, 1), (278, 8), (279, 8 * bits)]  # fmt: skip
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
        return head.ljust(200, b"\0") + b"\xff" * (8 * bits)

    assert (decoded(tiff(16, 0)).pixels == 255).all()
    for bits, white_is_0 in ((12, 0), (16, 1)):
        with pytest.raises(Unreadable, match=f"a TIFF of {bits} bits whose range is not known"):
            decoded(tiff(bits, white_is_0))
