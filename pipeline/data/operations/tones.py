"""What can be done to the tones of pictures, as functions of whole batches.

Images are `(B, H, W, C)` float32 0..255, in and out; an amount is `(B,)`, one a picture. `B` may be
0: a part of a batch that nobody chose.
"""

import tensorflow as tf

from pipeline.data.operations.base import a_picture

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in Pillow
LEVELS = 256


def luma(images: tf.Tensor) -> tf.Tensor:
    """Brightness of each pixel `(B, H, W, 1)`."""
    if images.shape[-1] != 3:
        return images
    return tf.tensordot(images, tf.constant(LUMA), 1)[..., None]


def blended(images: tf.Tensor, plain: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Go from `plain` (factor 0) to the pictures (1), and beyond, within the range of pixels."""
    return tf.clip_by_value(plain + a_picture(factor) * (images - plain), 0.0, 255.0)


def brightened(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiply pixels; 0 is black."""
    return blended(images, tf.zeros_like(images), factor)


def contrasted(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Stretch about the mean brightness; 0 is that gray."""
    return blended(images, tf.reduce_mean(luma(images), axis=(1, 2), keepdims=True), factor)


def coloured(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Stretch colours away from gray; 0 takes them away. Gray pictures stay as they are."""
    return blended(images, luma(images), factor)


def sharpened(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Sharpen above 1, blur below; 0 is `smooth`."""
    return blended(images, smooth(images), factor)


def smooth(images: tf.Tensor) -> tf.Tensor:
    """Average each pixel, weighing 5, with its eight neighbours; the outermost ones stay."""
    if min(images.shape[1], images.shape[2]) < 3:
        return images
    lines = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    nine = lines[:, :, :-2] + lines[:, :, 1:-1] + lines[:, :, 2:]
    inner = (nine + 4 * images[:, 1:-1, 1:-1]) / 13
    wide = tf.concat([images[:, 1:-1, :1], inner, images[:, 1:-1, -1:]], axis=2)
    return tf.concat([images[:, :1], wide, images[:, -1:]], axis=1)


def solarized(images: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Invert pixels from the threshold (0..256) on."""
    return tf.where(images >= a_picture(threshold), 255.0 - images, images)


def posterized(images: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Keep the highest `bits` (1..8) of each pixel."""
    step = a_picture(2.0 ** (8.0 - bits))
    return tf.floor(tf.round(images) / step) * step


def stretched(images: tf.Tensor) -> tf.Tensor:
    """Let each channel of a picture run from 0 to 255; one of a single tone stays."""
    lowest = tf.reduce_min(images, axis=(1, 2), keepdims=True)
    reach = tf.reduce_max(images, axis=(1, 2), keepdims=True) - lowest
    return tf.where(reach > 0, (images - lowest) * (255.0 / tf.maximum(reach, 1e-3)), images)


def equalized(images: tf.Tensor) -> tf.Tensor:
    """Spread the tones of each channel of a picture over 0..255, so that each is as frequent."""
    by_channel = tf.transpose(tf.cast(tf.round(images), tf.int32), (0, 3, 1, 2))
    flat = tf.reshape(by_channel, (-1, images.shape[1] * images.shape[2]))
    levelled = tf.gather(_levels(flat), flat, batch_dims=1)
    return tf.transpose(tf.reshape(levelled, tf.shape(by_channel)), (0, 2, 3, 1))


def _levels(pixels: tf.Tensor) -> tf.Tensor:
    """Make the table `(N, 256)` float32 from each tone of `(N, pixels)` to its new one.

    As OpenCV does: the share of pixels that are no brighter, the darkest tone becoming 0. Pillow
    counts in whole steps of 255 pixels, of which small pictures have none. A single tone stays.
    """
    number = tf.shape(pixels)[0]
    numbered = tf.reshape(pixels + tf.range(number)[:, None] * LEVELS, [-1])
    counts = tf.math.bincount(numbered, minlength=number * LEVELS, maxlength=number * LEVELS)
    upto = tf.cumsum(tf.reshape(counts, (-1, LEVELS)), axis=1)
    darkest = tf.gather(upto, tf.reduce_min(pixels, axis=1, keepdims=True), batch_dims=1)
    others = pixels.shape[1] - darkest
    levels = tf.round(255 * tf.cast(upto - darkest, tf.float32) / tf.cast(others, tf.float32))
    return tf.where(others > 0, levels, tf.range(LEVELS, dtype=tf.float32))
