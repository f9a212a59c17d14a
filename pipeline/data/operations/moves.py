"""Turning, slanting and shifting whole batches, each picture by its own amounts."""

import math

import tensorflow as tf

MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


def moved(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Move `(B, H, W, C)` about its middle by `amounts` `(B, 5)`, in the order of `MOVES`.

    They are shares: of a circle; of a line's, then of a column's distance from the middle; of the
    width and of the height. Pixels are taken between pixels where need be, and black comes in. `B`
    may be 0.
    """
    circles, slant_x, slant_y, shift_x, shift_y = tf.unstack(amounts, axis=1)
    cosine, sine = tf.cos(circles * (2 * math.pi)), tf.sin(circles * (2 * math.pi))
    height, width = images.shape[1], images.shape[2]
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    xy, yx = slant_x - sine, slant_y + sine
    from_x = middle_x - cosine * middle_x - xy * middle_y - shift_x * width
    from_y = middle_y - yx * middle_x - cosine * middle_y - shift_y * height
    none = tf.zeros_like(sine)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([cosine, xy, from_x, yx, cosine, from_y, none, none], axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
