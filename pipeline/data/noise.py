"""Noise: the one augmentation Keras has no image layer for."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="pix2pocket")
class RandomNoise(keras.layers.Layer):
    """Add Gaussian noise of up to `factor` of the pixel range, a strength drawn per picture.

    Like Keras' own augmentation layers it draws in `get_random_transformation` and applies in
    `transform_images`, here to whole batches `(B, H, W, C)` of pixels 0..255.
    """

    def __init__(self, factor: float = 0.05, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= factor <= 1:
            raise ValueError(f"`factor` is a share of the pixel range, 0..1; received {factor}")
        self.factor = factor

    def get_random_transformation(
        self, images: Any, training: bool = True, seed: Any = None
    ) -> Any:
        """Draw the noise itself, in pixels."""
        shape = keras.ops.shape(images)
        strength = keras.random.uniform((shape[0], 1, 1, 1), 0, 255 * self.factor, seed=seed)
        return strength * keras.random.normal(shape, seed=seed)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """Add it."""
        return keras.ops.clip(images + transformation, 0, 255)

    def get_config(self) -> dict[str, Any]:
        """Arguments to make this layer again."""
        return {**super().get_config(), "factor": self.factor}
