"""Formats: a Keras model to the bytes of a .tflite file, in each numeric form."""

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from pipeline.compress.aware import deployable
from pipeline.data.sources import Images
from pipeline.errors import ConversionError

SIGNATURE = "serving_default"
INPUT, OUTPUT = "images", "probabilities"

Convert = Callable[[keras.Model, Images, str], bytes]


def float32(model: keras.Model, sample: Images, io: str) -> bytes:
    """Weights and arithmetic in float32: the reference every other format is compared with."""
    with _converter(model) as converter:
        return _made(converter.convert)


def float16(model: keras.Model, sample: Images, io: str) -> bytes:
    """Weights in float16, half the bytes; a CPU computes in float32."""
    with _converter(model) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return _made(converter.convert)


def dynamic(model: keras.Model, sample: Images, io: str) -> bytes:
    """Weights in int8, ranges of activations found anew for each picture: float in and out."""
    with _converter(model) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return _made(converter.convert)


def int8(model: keras.Model, sample: Images, io: str) -> bytes:
    """Everything in int8, ranges of activations from `sample`, training pictures `(N, H, W, C)`.

    With `io` "uint8" a raw pixel byte is the quantized input (scale 1, zero point 0) and
    probabilities come out as float32; with "int8" both ends are int8, for microcontrollers.
    """
    return quantized(calibrated(model, sample), io)


def calibrated(model: keras.Model, sample: Images) -> bytes:
    """The float32 .tflite file that `quantized` makes integers of.

    It computes in float32 and can be run; the range of each activation over `sample`, training
    pictures `(N, H, W, C)`, stands beside it.
    """
    with _converter(model) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _calibration(sample)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter._experimental_calibrate_only = True  # as TensorFlow's own debugger does
        return _made(converter.convert)


def quantized(calibrated: bytes, io: str, in_float: Collection[str] = ()) -> bytes:
    """The int8 file of one that was `calibrated`: takes a fraction of a second.

    Operations `in_float`, by the names of what they give, stay in float32 where the converter can:
    what only moves numbers, as MAX_POOL_2D does, goes with its neighbours.

    Raises:
        ConversionError: the converter refuses.
    """
    taken, given = _ends(io)
    return _made(
        lambda: mlir_quantize(
            calibrated,
            input_data_type=taken,
            output_data_type=given,
            denylisted_nodes=sorted(in_float) or None,
        )
    )


def int16x8(model: keras.Model, sample: Images, io: str) -> bytes:
    """Weights in int8, activations in int16: close to float, and slow where no kernel is tuned."""
    with _converter(model) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _calibration(sample)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        return _made(converter.convert)


def rounded(model: keras.Model, io: str) -> bytes:
    """The int8 file of a quantization-aware model: ranges and kernels are the model's own.

    Ends as those of `int8`.
    """
    with _converter(deployable(model)) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type, converter.inference_output_type = _ends(io)
        return _made(converter.convert)


FORMATS: dict[str, Convert] = {
    "float32": float32,
    "float16": float16,
    "dynamic": dynamic,
    "int8": int8,
    "int16x8": int16x8,
}


def pin_range(sample: Images) -> Images:
    """Append one picture that holds both 0 and 255, so that no raw byte can be clipped.

    The input's scale is fixed by the lowest and highest pixel seen. Pictures of 20..199 would
    give scale 0.70 and clip a brighter one. The added picture is a real one with two opposite
    corner pixels set: ranges inside the network, taken over all of `sample`, hardly notice.
    """
    pinned = sample[:1].copy()
    pinned[0, 0, 0, 0], pinned[0, -1, -1, -1] = 0, 255
    return np.concatenate([sample, pinned])


def save_signature(model: keras.Model, folder: Path, batch: int | None = None) -> None:
    """Write a SavedModel whose one signature maps `images` `(batch, H, W, C)` float32 pixels
    0..255 to `probabilities` `(batch, classes)`.
    """
    shape = (batch, *model.input_shape[1:])
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        SIGNATURE,
        fn=lambda images: {OUTPUT: model(images, training=False)},
        input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT)],
    )
    archive.write_out(str(folder), verbose=False)


@contextmanager
def _converter(model: keras.Model) -> Iterator[Any]:
    """Make a converter for batch 1 that may use TFLite's own operations only, never Flex."""
    with tempfile.TemporaryDirectory(prefix="pix2pocket-") as folder:
        save_signature(model, Path(folder), batch=1)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        yield converter


def _ends(io: str) -> tuple[Any, Any]:
    """What an int8 file takes and what it gives."""
    return (tf.uint8, tf.float32) if io == "uint8" else (tf.int8, tf.int8)


def _made(convert: Callable[[], Any]) -> bytes:
    try:
        return bytes(convert())
    except Exception as error:  # the converter raises what MLIR happens to raise
        reason = " ".join(str(error).split())[:300]
        raise ConversionError(f"the converter refuses this network: {reason}") from error


def _calibration(sample: Images) -> Iterator[list[Any]]:
    for image in pin_range(sample):
        yield [image[None].astype(np.float32)]
