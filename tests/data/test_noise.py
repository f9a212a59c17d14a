import keras
import numpy as np
import pytest

from pipeline.data.noise import RandomNoise

GRAY = np.full((64, 8, 8, 1), 128, np.float32)


def noise(layer, images, seed):
    drawn = layer.get_random_transformation(images, seed=seed)
    return np.asarray(layer.transform_images(images, drawn)) - images


def test_noise_has_no_bias_and_a_strength_of_its_own_for_each_picture():
    strengths = noise(RandomNoise(0.1), GRAY, seed=1).std((1, 2, 3))
    assert strengths.min() < 6
    assert 18 < strengths.max() < 0.1 * 255 * 1.3  # 64 pixels tell a deviation to about 10 %
    assert abs(noise(RandomNoise(0.1), GRAY, seed=1).mean()) < 1


def test_noise_stays_inside_the_pixel_range():
    for value in (0, 255):
        images = np.full((16, 8, 8, 3), value, np.float32)
        noisy = images + noise(RandomNoise(0.5), images, seed=2)
        assert noisy.min() >= 0
        assert noisy.max() <= 255


def test_no_factor_no_noise():
    assert not noise(RandomNoise(0), GRAY, seed=1).any()


def test_its_config_makes_it_again_and_keras_finds_it_by_its_registered_name():
    layer = RandomNoise(0.2, name="grain")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is RandomNoise
    assert (again.factor, again.name) == (0.2, "grain")
    assert keras.saving.get_registered_name(RandomNoise) == "pix2pocket>RandomNoise"
    assert np.array_equal(noise(again, GRAY, seed=3), noise(layer, GRAY, seed=3))


@pytest.mark.parametrize("factor", [-0.1, 1.1, float("nan")])
def test_a_factor_that_is_no_share_is_refused(factor):
    with pytest.raises(ValueError, match="share of the pixel range"):
        RandomNoise(factor)
