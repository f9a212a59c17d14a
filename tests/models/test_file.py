import json
import re
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from models import MODELS
from models.archive import LAYERS, check
from models.file import file
from pipeline.compress.formats import FORMATS
from pipeline.compress.legacy import check_parity, mirror
from pipeline.config import Config
from pipeline.errors import ConfigError, IntegrityError
from pipeline.fit import session
from pipeline.fit.files import load_model, save_model
from pipeline.measure import flatbuffer
from pipeline.measure.litert import LiteRT
from pipeline.stages.build import with_preprocessing
from tests.marks import slow_but

SHAPE = (8, 8, 1)
pytestmark = pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")


def network(shape=SHAPE, classes=10, activation="softmax", units=None):
    """A functional model with models inside it, one of them Sequential."""
    inner = keras.Sequential([layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization()])
    images = keras.Input(shape, name="pictures")
    x = layers.ReLU()(inner(images))
    mixed_in = keras.Input((None, None, 8))
    mixed = keras.Model(mixed_in, layers.Add()([mixed_in, layers.Conv2D(8, 1)(mixed_in)]))
    x = layers.GlobalAveragePooling2D()(mixed(x) * 2.0)
    x = layers.Dropout(0.1)(x)
    return keras.Model(images, layers.Dense(units or classes, activation, name="mine")(x))


@pytest.fixture
def saved(tmp_path):
    """Save a model, return its path."""

    def save(model, name="my.keras"):
        model.save(tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.fixture
def rewritten(tmp_path):
    """A file with its description changed by a function, other members as they are."""

    def rewrite(path, change, name="changed.keras", **further):
        with zipfile.ZipFile(path) as given, zipfile.ZipFile(tmp_path / name, "w") as made:
            for member in given.namelist():
                content = given.read(member)
                if member == "config.json":
                    content = json.dumps(change(json.loads(content))).encode()
                made.writestr(member, content)
            for member, content in further.items():
                made.writestr(member, content)
        return str(tmp_path / name)

    return rewrite


@pytest.mark.parametrize("shape", [SHAPE, (None, None, 1), (8, None, 1)], ids=str)
def test_it_computes_what_was_saved_in_one_flat_graph(shape, saved, digits):
    session.begin(0)
    mine = network(shape)
    pixels = digits[0][:16] / np.float32(255)
    path = saved(mine)
    before = Path(path).read_bytes()
    made = file(SHAPE, 10, path)
    np.testing.assert_allclose(made.predict(pixels, verbose=0), mine.predict(pixels, verbose=0))
    assert not [layer for layer in made.layers if isinstance(layer, keras.Model)]
    assert (made.name, made.layers[0].name, made.layers[-1].name) == (
        "file",
        "images",
        "probabilities",
    )
    assert made.input_shape == (None, *SHAPE)
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize("last", [layers.Softmax, lambda: layers.Activation("softmax")])
def test_softmax_may_be_a_layer_of_its_own(last, saved):
    mine = keras.Sequential([layers.Input(SHAPE), layers.Flatten(), layers.Dense(10), last()])
    made = file(SHAPE, 10, saved(mine))
    assert made.layers[-1].name == "probabilities"
    assert len(made.weights) == 2


@pytest.mark.parametrize("name", ["my layer", "шар", "a\x1b[31m\nb"])
def test_a_layer_with_a_name_that_does_not_run_is_refused(name, saved):
    mine = keras.Sequential(
        [layers.Input(SHAPE), layers.Flatten(name=name), layers.Dense(10, "softmax")]
    )
    with pytest.raises(ConfigError, match="TensorFlow cannot run: rename it") as caught:
        file(SHAPE, 10, saved(mine))
    assert "\n" not in str(caught.value)


def test_a_softmax_over_the_batch_is_refused(saved):
    ends = layers.Dense(10), layers.Softmax(axis=0)
    mine = keras.Sequential([layers.Input(SHAPE), layers.Flatten(), *ends])
    with pytest.raises(ConfigError, match="softmax over axis 0: it has to be -1"):
        file(SHAPE, 10, saved(mine))


@pytest.mark.parametrize("kind", ["mixed_float16", "float16", "float64"])
def test_another_precision_is_refused_before_it_is_trained(kind, saved):
    ends = layers.Dense(10, dtype=kind), layers.Softmax(dtype="float32")
    mine = keras.Sequential([layers.Input(SHAPE), layers.Flatten(), *ends])
    with pytest.raises(ConfigError, match=f"in {kind.removeprefix('mixed_')}, which cannot be"):
        file(SHAPE, 10, saved(mine))


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_model_saved_before_it_had_an_input_is_refused(saved):
    path = saved(keras.Sequential([layers.Flatten(), layers.Dense(10, "softmax")]))
    with pytest.raises(ConfigError, match=r"before it had an input: begin it with keras\.Input"):
        file(SHAPE, 10, path)


@pytest.mark.parametrize("kind", slow_but(["own"], ["scale", "own"]))
def test_it_learns_and_reaches_a_pocket(kind, saved, digits, tmp_path):
    session.begin(0)
    images, labels = digits[0][:256], digits[1][:256]
    pixels = images.astype(np.float32)
    model = with_preprocessing(file(SHAPE, 10, saved(network())), kind, images)
    assert (model.layers[0].name, model.layers[-1].name) == ("images", "probabilities")
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    losses = [model.train_on_batch(pixels, labels) for _ in range(30)]
    assert min(losses[-3:]) < 0.97 * losses[0]
    save_model(model, tmp_path / "model.keras")
    expected = model.predict(pixels, verbose=0)
    again = load_model(tmp_path / "model.keras").predict(pixels, verbose=0)
    np.testing.assert_array_equal(again, expected)
    assert check_parity(model, mirror(model), pixels) == 0
    files = {form: tmp_path / f"{form}.tflite" for form in ("float32", "int8")}
    for form, path in files.items():
        path.write_bytes(FORMATS[form](model, images[:64], "uint8"))
    np.testing.assert_allclose(LiteRT(files["float32"]).predict(images), expected, atol=1e-4)
    assert np.abs(LiteRT(files["int8"]).predict(images) - expected).mean() < 0.03
    facts = flatbuffer.inspect(files["int8"])
    assert facts.ops["float32"] == facts.ops["other"] == 0 < facts.ops["int8"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"shape": (28, 28, 1)}, "takes (B, 28, 28, 1), the pictures are (B, 8, 8, 1)"),
        ({"shape": (None, None, 3)}, "takes (B, ?, ?, 3), the pictures are (B, 8, 8, 1)"),
        ({"classes": 7}, "gives (B, 7), 10 classes want (B, 10)"),
        ({"activation": None}, "does not end in softmax but in 'mine' (Dense)"),
        ({"activation": "sigmoid"}, 'give its output layer activation="softmax"'),
    ],
)
def test_what_does_not_fit_the_pictures_is_said_with_both_shapes(made, said, saved):
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        file(SHAPE, 10, saved(network(**made)))
    assert "\n" not in str(caught.value)


def test_two_inputs_or_a_map_as_output_are_refused(saved):
    one, two = keras.Input(SHAPE), keras.Input(SHAPE)
    both = layers.Flatten()(layers.Add()([one, two]))
    path = saved(keras.Model([one, two], layers.Dense(10, "softmax")(both)), "two.keras")
    with pytest.raises(ConfigError, match="has 2 inputs and 1 outputs"):
        file(SHAPE, 10, path)
    with pytest.raises(ConfigError, match=re.escape("gives (B, 8, 8, 10)")):
        file(SHAPE, 10, saved(keras.Model(one, layers.Conv2D(10, 1, activation="softmax")(one))))


def test_a_layer_named_as_one_of_ours_is_named(saved):
    mine = keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Rescaling(1 / 255, name="images"),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )
    with pytest.raises(ConfigError, match="a layer called 'images', as one of ours: rename it"):
        file(SHAPE, 10, saved(mine))


def trained_here(tmp_path):
    """A network as `train` leaves it, with its preprocessing in front."""
    session.begin(0)
    core = MODELS["small_cnn"](SHAPE, 10, width=4)
    model = with_preprocessing(core, "scale", np.zeros((2, *SHAPE), np.uint8))
    save_model(model, tmp_path / "model.keras")
    return model, str(tmp_path / "model.keras")


def test_a_model_of_ours_is_gone_on_with_and_brings_its_preprocessing(tmp_path, digits):
    model, path = trained_here(tmp_path)
    again = with_preprocessing(file(SHAPE, 10, path), "own", digits[0])
    pixels = digits[0][:8].astype(np.float32)
    assert np.array_equal(again.predict(pixels, verbose=0), model.predict(pixels, verbose=0))
    with pytest.raises(ConfigError, match="brings its own, in its layer 'scale': set own"):
        with_preprocessing(file(SHAPE, 10, path), "standardize", digits[0])


def test_a_new_head_is_for_other_classes_and_the_rest_keeps_its_weights(tmp_path, saved):
    model, path = trained_here(tmp_path)
    with pytest.raises(ConfigError, match=r"or have one made: build\.head=new"):
        file(SHAPE, 3, path)
    other = file(SHAPE, 3, path, head="new")
    assert other.output_shape == (None, 3)
    *kept, kernel, bias = other.get_weights()
    assert (kernel.shape[-1], bias.tolist()) == (3, [0, 0, 0])
    for one, two in zip(kept, model.get_weights()[:-2], strict=True):
        assert np.array_equal(one, two)
    images = keras.Input(SHAPE)
    soft = layers.Softmax()(layers.Dense(10)(layers.Flatten()(images)))
    with pytest.raises(ConfigError, match="replaces a dense output layer"):
        file(SHAPE, 3, saved(keras.Model(images, soft)), head="new")


@keras.saving.register_keras_serializable("mine")
class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def with_layer(layer):
    return keras.Sequential(
        [layers.Input(SHAPE), layer, layers.Flatten(), layers.Dense(10, "softmax")]
    )


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: layers.Lambda(lambda x: x), "keras.layers.Lambda"),
        (lambda: layers.Activation(lambda x: x), "__lambda__"),
        (Doubled, "mine>Doubled"),
        (lambda: keras.Sequential([layers.Lambda(lambda x: x)]), "keras.layers.Lambda"),
    ],
)
def test_code_of_ones_own_is_refused(layer, said, saved):
    with pytest.raises(IntegrityError, match=said):
        check(saved(with_layer(layer())))


def first_layer(**said):
    """Replace the second layer's description."""

    def change(config):
        config["config"]["layers"][1] |= said
        return config

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (first_layer(class_name="TFSMLayer", config={"filepath": "/x"}), "TFSMLayer"),
        (first_layer(module="os", class_name="system"), "os.system"),
        (first_layer(class_name="Dense.evil"), "Dense.evil"),
        (first_layer(module="keras.utils", class_name="get_file"), "keras.utils.get_file"),
        (first_layer(registered_name="mine>Doubled"), "mine>Doubled"),
        (first_layer(config={"name": "https://evil/x"}), "an address inside"),
        (first_layer(class_name=["a"]), "keras.layers"),
        (first_layer(module={"a": 1}), "'a': 1"),
        (lambda config: config | {"class_name": ["Functional"]}, "class"),
        (first_layer(compile_config={"loss": "mse"}), "compile_config"),
        (lambda config: config | {"class_name": "Evil"}, "class 'Evil'"),
        (lambda config: [config], "describes no model"),
        (lambda config: json.loads("[" * 500 + "]" * 500), "describes no model"),
        (first_layer(config=json.loads("[" * 500 + "]" * 500)), "nested without end"),
    ],
)
def test_a_description_of_anything_else_is_refused(change, said, saved, rewritten):
    path = rewritten(saved(with_layer(layers.ReLU())), change)
    with pytest.raises(IntegrityError, match=said) as caught:
        check(path)
    assert "\n" not in str(caught.value)


def test_what_it_was_compiled_with_does_not_matter(saved):
    mine = network()
    mine.compile("adam", loss=lambda truth, given: given[:, 0])
    assert file(SHAPE, 10, saved(mine)).output_shape == (None, 10)


@pytest.mark.parametrize("member", ["../evil", "/etc/evil", "assets/vocabulary.txt"])
def test_other_members_of_the_archive_are_refused(member, saved, rewritten):
    path = rewritten(saved(network()), lambda config: config, **{member: b"x"})
    with pytest.raises(IntegrityError, match=r"no \.keras file as Keras writes it"):
        check(path)


def test_a_bomb_is_refused(saved, tmp_path):
    with zipfile.ZipFile(tmp_path / "b.keras", "w", zipfile.ZIP_DEFLATED) as bomb:
        for member in ("config.json", "metadata.json"):
            bomb.writestr(member, "{}")
        bomb.writestr("model.weights.h5", bytes(400 << 20))
    with pytest.raises(IntegrityError, match="unpacks to 419430400 bytes"):
        check(str(tmp_path / "b.keras"))


@pytest.mark.parametrize("share", [0.3, 0.95])
def test_a_cut_off_file_and_garbage_are_refused(share, saved, tmp_path):
    whole = Path(saved(network())).read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: int(share * len(whole))])
    (tmp_path / "garbage.keras").write_bytes(b"\x07garbage" * 99)
    for name in ("cut.keras", "garbage.keras"):
        with pytest.raises(IntegrityError, match=r"no whole \.keras file"):
            check(str(tmp_path / name))


def test_a_byte_changed_on_the_way_is_told(saved):
    path = Path(saved(network()))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255  # in the weights, by far the largest member
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="is damaged: Bad CRC-32"):
        file(SHAPE, 10, str(path))


def test_weights_that_lead_elsewhere_are_refused(saved, tmp_path):
    path = saved(network())
    with zipfile.ZipFile(path) as given:
        members = {name: given.read(name) for name in given.namelist()}
    (tmp_path / "w.h5").write_bytes(members["model.weights.h5"])
    with h5py.File(tmp_path / "w.h5", "a") as weights:
        weights["layers/more"] = h5py.ExternalLink("/etc/passwd", "/")
    members["model.weights.h5"] = (tmp_path / "w.h5").read_bytes()
    with zipfile.ZipFile(path, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)
    with pytest.raises(IntegrityError, match="has a link"):
        file(SHAPE, 10, path)


def test_other_forms_of_models_are_refused_unread(saved, tmp_path):
    (tmp_path / "saved_model").mkdir()
    h5 = saved(network(), "my.h5")
    (tmp_path / "really.keras").write_bytes((tmp_path / "my.h5").read_bytes())
    for path in (h5, str(tmp_path / "really.keras"), str(tmp_path / "saved_model")):
        with pytest.raises(IntegrityError, match=r"^build\.path: "):
            check(path)


@pytest.mark.parametrize(
    ("path", "said"), [("", "build.path=my.keras"), ("/no/such.keras", "No such file")]
)
def test_a_file_that_is_not_there_is_said_when_the_recipe_is_loaded(path, said):
    with pytest.raises(ConfigError, match=said):
        Config.of({"name": "test", "build": {"model": "file", "path": path}})


def test_it_may_be_given_scaled_pixels_or_raw_ones(saved):
    path = saved(network())
    for said in ({}, {"preprocess": "own"}, {"preprocess": "centre"}):
        config = Config.of({"name": "test", "build": {"model": "file", "path": path} | said})
        assert config.resolve()["build"][1].preprocess == said.get("preprocess", "scale")


def test_every_layer_it_may_have_is_one_of_keras():
    assert all(issubclass(getattr(layers, name), layers.Layer) for name in LAYERS)
    assert MODELS.function("file").defaults == {"path": "", "head": "keep"}
