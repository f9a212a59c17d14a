from time import sleep

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from pipeline.errors import ConversionError, IntegrityError
from pipeline.measure import litert
from pipeline.measure.litert import LiteRT


def run_bare(path, fed):
    """Raw outputs for inputs that are already as the file wants them, one by one."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for picture in fed:
        interpreter.set_tensor(source["index"], picture[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target["index"])[0])
    return np.array(outputs)


@pytest.mark.parametrize("form", ["float32", "float16", "dynamic", "int16x8", "depthwise_float32"])
def test_float_inputs_get_pixels_as_floats(tflite_nets, digit_images, form):
    images = digit_images[:40]
    expected = run_bare(tflite_nets[form], images.astype(np.float32))
    found = LiteRT(tflite_nets[form]).predict(images)
    assert (found.dtype, found.shape) == (np.float32, (40, 10))
    np.testing.assert_array_equal(found, expected)


def test_uint8_inputs_get_the_raw_bytes(tflite_nets, digit_images):
    expected = run_bare(tflite_nets["int8"], digit_images[:40])
    np.testing.assert_array_equal(LiteRT(tflite_nets["int8"]).predict(digit_images[:40]), expected)


def test_int8_edges_are_quantized_and_dequantized(tflite_nets, digit_images):
    images = digit_images[:40]
    raw = run_bare(tflite_nets["int8_edges"], (images.astype(np.int16) - 128).astype(np.int8))
    found = LiteRT(tflite_nets["int8_edges"]).predict(images)
    np.testing.assert_array_equal(found, (raw.astype(np.float32) + 128) / 256)
    np.testing.assert_array_equal(found, LiteRT(tflite_nets["int8"]).predict(images))


def test_formats_of_one_net_give_close_probabilities(tflite_nets, digit_images):
    reference = LiteRT(tflite_nets["float32"]).predict(digit_images[:100])
    assert np.ptp(reference, axis=0).max() > 0.05  # the net does look at the pictures
    for form in ("float16", "dynamic", "int8", "int16x8"):
        np.testing.assert_allclose(
            LiteRT(tflite_nets[form]).predict(digit_images[:100]), reference, atol=0.03
        )


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "codes"),
    [
        (np.uint8, 0.5, 10, {0: 10, 1: 12, 100: 210, 255: 255}),  # clamped at the top
        (np.int8, 2.0, -100, {0: -100, 1: -99, 3: -98, 255: 28}),  # halves go up
        (np.int16, 1.0, 0, {0: 0, 7: 7, 255: 255}),
    ],
)
def test_pixels_are_quantized_as_the_file_says(
    tflite_nets, monkeypatch, dtype, scale, zero_point, codes
):
    quantized = {"dtype": dtype, "quantization": (scale, zero_point), "index": 0}
    details = Interpreter.get_input_details
    monkeypatch.setattr(
        Interpreter, "get_input_details", lambda self: [details(self)[0] | quantized]
    )
    images = np.array(list(codes), np.uint8)
    found = LiteRT(tflite_nets["float32"])._encode(images)
    assert found.dtype == dtype
    assert found.tolist() == list(codes.values())


def test_the_size_of_chunks_changes_nothing(tflite_nets, digit_images, monkeypatch):
    expected = LiteRT(tflite_nets["float32"]).predict(digit_images[:50])
    monkeypatch.setattr(litert, "_CHUNK_BYTES", 7 * 64 * 4)
    strided = np.repeat(digit_images[:50], 2, axis=0)[::2]
    np.testing.assert_array_equal(LiteRT(tflite_nets["float32"]).predict(strided), expected)


def test_no_pictures_give_no_rows(tflite_nets, digit_images):
    assert LiteRT(tflite_nets["int8"]).predict(digit_images[:0]).shape == (0, 10)


def test_the_time_is_that_of_the_run_alone_in_nanoseconds(tflite_nets, digit_images, monkeypatch):
    model = LiteRT(tflite_nets["int8"], threads=2)
    assert 0 < model.invoke_once(digit_images[0]) < 10**9
    monkeypatch.setattr(model._interpreter, "set_tensor", lambda index, picture: sleep(0.2))
    monkeypatch.setattr(model._interpreter, "invoke", lambda: sleep(0.02))
    assert 20 * 10**6 <= model.invoke_once(digit_images[0]) < 200 * 10**6


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((3, 8, 8, 3), np.uint8), np.zeros((8, 8, 1), np.uint8), np.zeros((3, 8, 8, 1))],
)
def test_other_pictures_than_wanted_are_refused_in_one_line(tflite_nets, pictures):
    with pytest.raises(ConversionError, match=r"wants pictures uint8 \(8, 8, 1\), got") as caught:
        LiteRT(tflite_nets["int8"]).predict(pictures)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("picture", [np.zeros((1, 8, 8, 1), np.uint8), np.zeros((8, 8, 1))])
def test_a_picture_to_time_must_fit_as_well(tflite_nets, picture):
    with pytest.raises(ConversionError, match="wants pictures"):
        LiteRT(tflite_nets["int8"]).invoke_once(picture)


def test_a_missing_or_strange_file_is_named(tmp_path):
    with pytest.raises(IntegrityError, match="no such file"):
        LiteRT(tmp_path / "absent.tflite")
    strange = tmp_path / "strange.tflite"
    strange.write_bytes(b"this is no model at all, only some text")
    with pytest.raises(IntegrityError, match=r"strange\.tflite: not a \.tflite file"):
        LiteRT(strange)


@pytest.mark.parametrize(
    ("what", "change", "message"),
    [
        ("input", {"shape": np.array([2, 8, 8, 1])}, "wants one input of batch 1"),
        ("input", {"dtype": np.int64}, "cannot feed pictures to an input of type int64"),
        ("input", {"dtype": np.int8, "quantization": (0.0, 0)}, "cannot feed pictures"),
        ("output", {"dtype": np.int64, "quantization": (0.0, 0)}, "not probabilities"),
    ],
)
def test_files_that_are_no_classifier_of_pictures_are_refused(
    tflite_nets, monkeypatch, what, change, message
):
    method = f"get_{what}_details"
    details = getattr(Interpreter, method)
    monkeypatch.setattr(Interpreter, method, lambda self: [details(self)[0] | change])
    with pytest.raises(ConversionError, match=message):
        LiteRT(tflite_nets["float32"])
