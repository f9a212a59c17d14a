import inspect
import re
from importlib import import_module

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from models import MODELS
from models.applications import APPLICATIONS, check
from models.backbone import _prepared, backbone
from pipeline.compress.formats import FORMATS
from pipeline.compress.legacy import check_parity, mirror
from pipeline.config import Config
from pipeline.errors import ConfigError, IntegrityError, ResourceError
from pipeline.fit import session
from pipeline.fit.files import load_model, save_model
from pipeline.measure import flatbuffer
from pipeline.measure.litert import LiteRT
from tests.marks import slow_but
from tests.picture_folders import photos

SHAPE = (32, 32, 3)
SMALL = {"network": "MobileNet", "alpha": 0.25}
FAMILIES = (
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2"),
    *("InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Small", "NASNetMobile"),
    *("ResNet50", "ResNet50V2", "VGG16", "Xception"),
)
# Those made of other operations than the networks of models/ and one another.
UNLIKE_OURS = ("ConvNeXtTiny", "EfficientNetB0", "MobileNetV3Small", "ResNet50V2")
pytestmark = pytest.mark.filterwarnings("ignore:.*weights.*default:UserWarning")


def application(network, shape=SHAPE, **options):
    """The network as keras.applications makes it, with weights and statistics of chance."""
    session.begin(1)
    options = {"weights": None, "include_top": False, "input_shape": shape} | options
    made = getattr(keras.applications, network)(**options)
    rng = np.random.default_rng(0)
    for weight in made.weights:
        if "moving_variance" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif "moving_mean" in weight.path or "beta" in weight.path:
            weight.assign(rng.normal(0, 0.2, weight.shape))
    return made


def features(network, images):
    """What a backbone pools: means over the map `(B, h, w, C)`."""
    if "head_pool" in [layer.name for layer in network.layers]:
        pooled = keras.Model(network.input, network.get_layer("head_pool").output)
        return pooled.predict(images, verbose=0)
    return network.predict(images, verbose=0).mean((1, 2))


def after_first_kernel(network, images):
    """What the first convolution gives: by it, pixels that were scaled otherwise are seen."""
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    output = first._inbound_nodes[-1].outputs[0]  # its first call is in the graph of Keras
    return keras.Model(network.input, output).predict(images, verbose=0)


def prepared_by_keras(network, images):
    module = import_module(f"keras.applications.{APPLICATIONS[network].module}")
    return module.preprocess_input(images.astype(np.float32).copy())


def save_older(network, path):
    """Save as keras.applications' own downloads are saved."""
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small MobileNet of chance, and its file of weights."""
    network = application("MobileNet", alpha=0.25)
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    network.save_weights(path)
    return network, path


def test_the_table_is_what_keras_has():
    functions = {
        name: function
        for name, function in vars(keras.applications).items()
        if name[0].isupper() and callable(function)
    }
    assert set(APPLICATIONS) == set(functions)
    for name, function in functions.items():
        row = APPLICATIONS[name]
        assert function.__module__.endswith(f".{row.module}"), name
        assert ("alpha" in inspect.signature(function).parameters) == bool(row.widths), name
        shape = (row.smallest - 1, row.smallest, 3)
        with pytest.raises(ValueError, match=f"at least {row.smallest}x{row.smallest}"):
            function(weights=None, include_top=False, input_shape=shape)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_pixels_are_prepared_as_the_network_wants_them(name):
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.float32)
    wanted = prepared_by_keras(name, images)
    pixels = APPLICATIONS[name].pixels
    front = keras.Input((5, 4, 3))
    ours = keras.Model(front, _prepared(front, pixels)).predict(images, verbose=0)
    if pixels == "caffe":
        ours = ours[..., ::-1]  # the first kernel is turned round instead
    np.testing.assert_allclose(ours, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", slow_but(["VGG16"], ["VGG16", "MobileNetV2", "MobileNetV3Small"]))
def test_from_pixels_on_it_is_the_network_of_keras(name, tmp_path):
    compare_with_keras(name, SHAPE, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_from_pixels_on_every_family_is_that_of_keras(name, tmp_path):
    side = max(64, APPLICATIONS[name].smallest)
    compare_with_keras(name, (side, side, 3), tmp_path)


def compare_with_keras(name, shape, folder):
    theirs = application(name, shape)
    theirs.save_weights(folder / "its.weights.h5")
    ours = backbone(shape, 3, network=name, weights=str(folder / "its.weights.h5"))
    images = photos(shape[0], 4).astype(np.float32)
    wanted = features(theirs, prepared_by_keras(name, images))
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(features(ours, images), wanted, atol=2e-4 * np.abs(wanted).max())


def test_it_is_one_flat_graph_whose_input_is_pixels_and_output_probabilities():
    for name in ("MobileNet", "ConvNeXtTiny"):
        network = backbone(SHAPE, 3, network=name, weights="none")
        assert not [layer for layer in network.layers if isinstance(layer, keras.Model)]
        assert (network.name, network.layers[0].name) == ("backbone", "images")
        assert network.layers[-1].name == "probabilities"
        assert (network.input_shape, network.output_shape) == ((None, *SHAPE), (None, 3))


def test_gray_pictures_give_what_their_colour_copies_give(saved):
    path = str(saved[1])
    gray = photos(32, 4).mean(-1, keepdims=True).astype(np.float32)
    one, three = (
        features(backbone((32, 32, channels), 3, weights=path, **SMALL), images)
        for channels, images in ((1, gray), (3, np.repeat(gray, 3, -1)))
    )
    np.testing.assert_array_equal(one, three)


def test_both_forms_of_weights_files_are_loaded(saved, tmp_path):
    network, newer = saved
    older = save_older(network, tmp_path / "mobilenet_no_top.h5")
    images = photos(32, 4).astype(np.float32)
    wanted = features(network, prepared_by_keras("MobileNet", images))
    for path in (newer, older):
        found = features(backbone(SHAPE, 3, weights=str(path), **SMALL), images)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    chance = features(backbone(SHAPE, 3, weights="none", **SMALL), images)
    assert np.abs(chance - wanted).max() > 0.01


def test_learned_statistics_stay_and_statistics_from_nothing_move_quickly(saved):
    kinds = {}
    for weights in ("none", str(saved[1])):
        network = backbone(SHAPE, 3, weights=weights, **SMALL)
        norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
        kinds[weights] = {(norm.trainable, norm.momentum) for norm in norms}
        assert all(x.trainable for x in network.layers if x not in norms)
    assert kinds == {"none": {(True, 0.9)}, str(saved[1]): {(False, 0.99)}}


def test_weights_of_another_network_are_refused(saved, tmp_path):
    _, path = saved
    with pytest.raises(ConfigError, match=r"does not fit MobileNet at alpha 0\.5: "):
        backbone(SHAPE, 3, network="MobileNet", alpha=0.5, weights=str(path))
    with pytest.raises(ConfigError, match="it holds 218,544 numbers, not 2,257,984"):
        backbone(SHAPE, 3, weights=str(path))
    older = save_older(saved[0], tmp_path / "older.weights.h5")
    with pytest.raises(ConfigError, match="rename it to end in plain"):
        backbone(SHAPE, 3, weights=str(older), **SMALL)
    top = application("MobileNet", alpha=0.25, include_top=True, classes=5)
    with pytest.raises(ConfigError, match="without the top"):
        backbone(SHAPE, 3, weights=str(save_older(top, tmp_path / "top.h5")), **SMALL)


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
def test_a_cut_off_file_is_refused(share, saved, tmp_path):
    whole = saved[1].read_bytes()
    path = tmp_path / "cut.weights.h5"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(IntegrityError, match=r"cut\.weights\.h5 is damaged or cut off"):
        backbone(SHAPE, 3, weights=str(path), **SMALL)


def test_a_whole_model_as_h5_is_refused(saved, tmp_path):
    path = tmp_path / "model.h5"
    saved[0].save(path)
    with pytest.raises(IntegrityError, match="is a whole model"):
        backbone(SHAPE, 3, weights=str(path), **SMALL)


def _soft(file):
    file["layers/other"] = h5py.SoftLink("/layers")


def _external(file):
    file["layers/other"] = h5py.ExternalLink("/etc/passwd", "/")


def _elsewhere(file):
    file.create_dataset("other", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _bomb(file):
    file.create_dataset("other", (1 << 20, 1 << 10), "f4", chunks=True, compression="gzip")


def _text(file):
    file["other"] = "import os"


def _twice(file):
    """Twenty groups, each holding the next by two names: a million ways to the last."""
    group = file.create_group("other")
    for _ in range(20):
        inner = group.create_group("one")
        group["two"] = inner
        group = inner


@pytest.mark.parametrize("tamper", [_soft, _external, _elsewhere, _bomb, _text, _twice])
def test_what_keras_never_writes_is_not_read(tamper, saved, tmp_path):
    path = tmp_path / "strange.weights.h5"
    path.write_bytes(saved[1].read_bytes())
    with h5py.File(path, "a") as file:
        tamper(file)
    with pytest.raises(IntegrityError, match=r"strange\.weights\.h5 "):
        backbone(SHAPE, 3, weights=str(path), **SMALL)


def test_imagenet_without_a_network_is_one_line_that_says_what_to_do(monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure on https://x.y/w.h5: None -- no\nname")  # as Keras does

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fail)
    with pytest.raises(ResourceError, match=r"^build\.weights: .*w\.h5.*weights=FILE") as caught:
        backbone(SHAPE, 3, **SMALL)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("network", slow_but(["EfficientNetB0"], ["EfficientNetB0", "MobileNetV2"]))
def test_a_downloaded_file_and_the_same_file_given_are_one_network(network, monkeypatch, tmp_path):
    published = application(network)
    for layer in published.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign([0.485, 0.456, 0.406])
            layer.adapt_variance.assign(np.square([0.229, 0.224, 0.225]))
    path = save_older(published, tmp_path / "notop.h5")
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(path))
    images = photos(32, 4).astype(np.float32)
    downloaded, given = (
        after_first_kernel(backbone(SHAPE, 3, network=network, weights=weights), images)
        for weights in ("imagenet", str(path))
    )
    np.testing.assert_allclose(given, downloaded, atol=1e-5 * np.abs(downloaded).max())


@pytest.mark.parametrize(
    ("shape", "network", "said"),
    [
        ((28, 28, 3), "MobileNet", r"32x32 or more, these are 28x28: set ingest\.size=32"),
        ((96, 70, 3), "InceptionV3", r"75x75 or more, these are 96x70: set ingest\.size=75"),
        ((32, 32, 4), "MobileNet", r"1 or 3 channels, not 4: set ingest\.color"),
    ],
)
def test_pictures_it_cannot_take_are_refused(shape, network, said):
    with pytest.raises(ConfigError, match=said):
        backbone(shape, 3, network=network, weights="none")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"network": "MobilNetV2"}, "did you mean 'MobileNetV2'?"),
        ({"network": "ResNet50", "alpha": 0.5}, "comes in one width"),
        ({"alpha": 0.6}, "are there for 0.35, 0.5, 0.75, 1.0, 1.3, 1.4, not 0.6"),
        ({"alpha": -1.0, "weights": "none"}, "a multiplier above 0"),
        ({"dropout": 1.0}, "from 0 to below 1"),
        ({"weights": "no.keras"}, "build.model=file build.path=no.keras"),
        ({"weights": "/no/such.h5"}, "cannot be read: No such file"),
        ({"preprocess": "scale"}, "build.preprocess: backbone takes own here, not 'scale'"),
        ({"model": "lenet5", "preprocess": "own"}, "lenet5 takes scale, centre, standardize"),
        ({"widht": 3}, "nor does backbone take it"),
    ],
)
def test_what_cannot_work_is_refused_when_the_recipe_is_loaded(options, said):
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        Config.of({"name": "test", "build": {"model": "backbone"} | options})
    assert "\n" not in str(caught.value)


def test_garbage_and_folders_are_no_weights(tmp_path):
    (tmp_path / "garbage.h5").write_bytes(b"\x00garbage" * 100)
    (tmp_path / "folder.h5").mkdir()
    for name, said in (("garbage.h5", "no HDF5 file"), ("folder.h5", "is a folder")):
        with pytest.raises(IntegrityError, match=said):
            check("MobileNetV2", str(tmp_path / name), 1.0, 0.0)


def test_a_network_brings_its_own_preprocessing_and_the_others_get_it_scaled():
    for model, options, said in (
        ("backbone", {"weights": "none"}, "own"),
        ("lenet5", {}, "scale"),
        ("lenet5", {"preprocess": "centre"}, "centre"),
    ):
        config = Config.of({"name": "test", "build": {"model": model} | options})
        assert config.resolve()["build"][1].preprocess == said
        assert config.recipe()["build"]["preprocess"] == said
        assert Config.of(config.recipe()).recipe() == config.recipe()


def test_its_options_are_known_without_importing_it():
    parameters = inspect.signature(backbone).parameters
    said = MODELS.function("backbone").defaults
    assert said == {key: parameters[key].default for key in list(parameters)[2:]}


@pytest.mark.slow
def test_it_learns_and_reaches_a_pocket(tmp_path):
    go_the_whole_way((32, 32, 1), tmp_path, steps=20, **SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", UNLIKE_OURS)
def test_every_family_unlike_ours_reaches_a_pocket(name, tmp_path):
    side = max(64, APPLICATIONS[name].smallest)
    go_the_whole_way((side, side, 3), tmp_path, network=name)


def go_the_whole_way(shape, folder, steps=6, **options):
    """Learn to tell two photos apart, save and load, mirror, convert in both forms.

    After few steps a small network is unsure, and its int8 file then differs by much.
    """
    session.begin(0)
    images = photos(shape[0], 32)[..., : shape[-1]]
    pixels, labels = images.astype(np.float32), np.arange(32) % 2
    rate = 1e-4 if options["network"].startswith("ConvNeXt") else 1e-3  # it has no batch norms
    model = backbone(shape, 2, weights="none", **options)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False)
    losses = [float(model.train_on_batch(pixels, labels)) for _ in range(steps)]
    assert min(losses) < losses[0]
    for layer in model.layers:  # statistics of these very pictures: ranges as after a training
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(pixels, training=True)

    save_model(model, folder / "model.keras")
    expected = model.predict(pixels, verbose=0)
    assert np.ptp(expected) > 0
    again = load_model(folder / "model.keras")
    np.testing.assert_array_equal(again.predict(pixels, verbose=0), expected)
    assert check_parity(model, mirror(model), pixels) == 0

    files = {}
    for form in ("float32", "int8"):
        files[form] = folder / f"{form}.tflite"
        files[form].write_bytes(FORMATS[form](model, images, "uint8"))
    answers = {form: LiteRT(path).predict(images) for form, path in files.items()}
    np.testing.assert_allclose(answers["float32"], expected, atol=1e-4)
    assert np.abs(answers["int8"] - expected).mean() < 0.1
    facts = flatbuffer.inspect(files["int8"])
    # The converter leaves 23 of ConvNeXtTiny's 329 operations in float32.
    some = options["network"].startswith("ConvNeXt")
    assert facts.ops["float32"] <= (23 if some else 0) < facts.ops["int8"]
    assert facts.ops["other"] == 0
    assert [(port.dtype, port.scale) for port in facts.inputs] == [("uint8", 1.0)]
