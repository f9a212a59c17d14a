import keras
import pytest

from pipeline.compress.formats import calibrated
from pipeline.compress.tensors import layers_behind
from pipeline.measure.tflite import read_graph


def network():
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    images = keras.Input((8, 8, 1))
    x = images
    for _ in range(3):
        x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture(params=[False, True])
def model(request):
    inner = network()
    if not request.param:
        return inner
    images = keras.Input((8, 8, 1))
    return keras.Model(images, inner(images))


def test_every_operation_is_told_by_its_layer(model, rng_images):
    graph = read_graph(calibrated(model, rng_images), "a file")
    behind = layers_behind(model)
    found = [
        behind(graph.tensors[one.outputs[0]].name).rpartition("/")[2] for one in graph.operators
    ]
    kernels = ["conv2d", "conv2d_1", "conv2d_2"]
    assert found == [*kernels, "max_pooling2d", "global_average_pooling2d", "dense", "dense"]


def test_a_tensor_of_no_layer_goes_by_the_end_of_its_name():
    behind = layers_behind(network())
    assert behind("somewhere/else/strided_slice;more") == "strided_slice"


@pytest.fixture
def rng_images():
    from sklearn.datasets import load_digits

    return (load_digits().images[:8, ..., None] * 15).astype("uint8")
