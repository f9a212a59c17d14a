import keras
import numpy as np
import pytest

from pipeline.compress.legacy import check_parity, mirror

FAMILIES = {
    **dict.fromkeys(("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"), 64),
    **dict.fromkeys(("ResNet50", "ResNet50V2", "DenseNet121", "EfficientNetB0"), 64),
    **dict.fromkeys(("EfficientNetV2B0", "ConvNeXtTiny", "VGG16"), 64),
    **dict.fromkeys(("InceptionV3", "InceptionResNetV2", "Xception", "NASNetMobile"), 96),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_known_family_and_its_twin_give_the_same_bits(name):
    keras.backend.clear_session()
    rng = np.random.default_rng(0)
    shape = (FAMILIES[name], FAMILIES[name], 3)
    network = getattr(keras.applications, name)(
        weights=None, input_shape=shape, classes=7, classifier_activation=None
    )
    for weight in network.weights:
        # Moving statistics that a training could have left: with mean 0 and variance 1 any
        # implementation of batch normalization would pass.
        if "moving_variance" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif "moving_mean" in weight.path or "beta" in weight.path:
            weight.assign(rng.normal(0, 0.2, weight.shape))
    images = rng.uniform(0, 255, (2, *shape)).astype("float32")
    assert check_parity(network, mirror(network), images) == 0.0
    assert np.ptp(network(images)) > 0
