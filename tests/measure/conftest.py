"""Real .tflite files for the measuring tests: tiny nets with weights of known size and number."""

import warnings
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from sklearn.datasets import load_digits

FORMATS = ("float32", "float16", "dynamic", "int8", "int8_edges", "int16x8")


@pytest.fixture(scope="session")
def digit_images() -> np.ndarray:
    """Real handwritten digits, uint8 (1797, 8, 8, 1), 0..255."""
    pixels = load_digits().data * (255 / 16)
    return np.round(pixels).astype(np.uint8).reshape(-1, 8, 8, 1)


@pytest.fixture(scope="session")
def tflite_nets(once, digit_images) -> dict[str, Path]:
    """`plain` in every format, `depthwise`, `pruned` and `upsampling` in two."""

    def make(folder):
        folder.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow's own deprecations are no concern of ours
            nets = _networks()
            wanted = [("plain", form) for form in FORMATS]
            others = ("depthwise", "pruned", "upsampling")
            wanted += [(net, form) for net in others for form in ("float32", "int8")]
            for net, form in wanted:
                name = form if net == "plain" else f"{net}_{form}"
                file = folder / f"{name}.tflite"
                file.write_bytes(_converted(nets[net], form, digit_images[:100], folder))

    return {file.stem: file for file in once("nets", make).glob("*.tflite")}


@pytest.fixture
def edited(tflite_nets, tmp_path):
    """A function that changes one file through its schema and writes it anew."""

    def edit(name, change):
        model = schema.ModelT.InitFromPackedBuf(tflite_nets[name].read_bytes())
        change(model)
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "edited.tflite"
        path.write_bytes(bytes(builder.Output()))
        return path

    return edit


def _networks():
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)

    def sequential(*stack):
        return keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), *stack])

    def plain():
        return sequential(
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        )

    depthwise = sequential(
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(16, 1, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax"),
    )
    pixels = keras.Input((8, 8, 1))
    larger = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(pixels)
    rows = layers.Reshape((256, 4))(larger)
    gram = layers.Dot(axes=(1, 1))([rows, rows])
    upsampling = keras.Model(pixels, layers.Dense(10)(layers.Flatten()(gram)))
    nets = {
        "plain": plain(),
        "pruned": plain(),
        "depthwise": depthwise,
        "upsampling": upsampling,
    }
    for name in ("plain", "depthwise", "pruned"):
        _set_weights_far_from_zero(nets[name])
    kernel, bias = nets["pruned"].layers[-1].get_weights()
    kernel[::2] = 0  # half of the 5,120 weights of the last layer
    nets["pruned"].layers[-1].set_weights([kernel, bias])
    return nets


def _set_weights_far_from_zero(model):
    """Magnitudes within a factor of 2: none is zero, and none rounds to zero in int8."""
    random = np.random.default_rng(3)
    for layer in model.layers:
        weights = [
            random.uniform(0.5, 1, w.shape)
            * random.choice([-1, 1], w.shape)
            * (2 / np.sqrt(np.prod(w.shape[:-1])))  # keeps activations of one size
            for w in layer.get_weights()
        ]
        layer.set_weights(weights)


def _converted(model, form: str, sample: np.ndarray, folder: Path) -> bytes:
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    pixels = tf.TensorSpec((1, 8, 8, 1), tf.float32, name="images")
    archive.add_endpoint("serve", lambda images: model(images, training=False), [pixels])
    archive.write_out(folder / "saved_model", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model"))
    operators = tf.lite.OpsSet
    converter.target_spec.supported_ops = [operators.TFLITE_BUILTINS]
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form in ("int8", "int8_edges", "int16x8"):
        converter.representative_dataset = lambda: ([x[None].astype("float32")] for x in sample)
        converter.target_spec.supported_ops = [operators.TFLITE_BUILTINS_INT8]
    if form == "int16x8":
        converter.target_spec.supported_ops = [
            operators.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    if form == "int8":
        converter.inference_input_type = tf.uint8
    if form == "int8_edges":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()
