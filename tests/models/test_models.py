import inspect
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from models import MODELS
from models.blocks.convolution import convolve_depthwise
from pipeline.compress.anatomy import sketched
from pipeline.compress.formats import FORMATS
from pipeline.compress.kernels import allotted, prunable
from pipeline.compress.legacy import check_parity, mirror
from pipeline.compress.legacy.pruning import prune
from pipeline.compress.schedule import Ramp
from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.files import load_model, save_model
from pipeline.measure.flatbuffer import inspect as inspect_file
from pipeline.measure.litert import LiteRT
from pipeline.settings import Build
from pipeline.stages.build import make_core, with_preprocessing
from tests.marks import slow_but

ROOT = Path(__file__).parent.parent.parent
APART = {"custom", "backbone", "file"}  # need options: they have tests of their own
EVERY = pytest.mark.parametrize("name", [name for name in MODELS if name not in APART])
# Dense layers alone, convolutions, normalized ones, a large stem, residuals.
QUICK = ("mlp", "lenet5", "pocket_cnn", "small_cnn", "nin", "alexnet", "resnet8")
A_KIND_FIRST = pytest.mark.parametrize(
    "name", slow_but(QUICK, [name for name in MODELS if name not in APART])
)

# The same networks, thin enough to be tried out in seconds.
THIN = {
    "small_cnn": {"width": 8},
    "pocket_cnn": {"widths": [6, 8, 10]},
    "mlp": {"width": 32},
    "deep_mlp": {"width": 64},
    "simple_cnn": {"width": 8, "dense": 32},
    "cnn_dnn": {"width": 8},
    "densenet121": {"growth": 8, "depths": [2, 3, 3, 2]},
    **{key: {"width": 0.125} for key in ("alexnet", "vgg11", "vgg13", "vgg16", "vgg19")},
    **{key: {"width": 0.25} for key in ("nin", "googlenet")},
    **{key: {"width": 0.125} for key in ("resnet18", "resnet34", "resnet50")},
    **{key: {"width": 0.25} for key in ("mobilenet_v1", "mobilenet_v2")},
}

# Trainable parameters of the forms the papers and textbooks count, as each docstring cites them.
GRAY, COLOUR, IMAGENET = ((28, 28, 1), 10), ((32, 32, 3), 10), ((224, 224, 3), 1000)
FORMS = [
    ("small_cnn", *GRAY, {}, 94_186),
    ("pocket_cnn", *GRAY, {}, 97_562),
    ("pocket_cnn", *GRAY, {"widths": [32, 48, 53], "stem": 16}, 97_793),
    ("mlp", *GRAY, {}, 101_770),
    ("deep_mlp", *GRAY, {}, 567_434),
    ("simple_cnn", *GRAY, {}, 121_930),
    ("lenet5", *GRAY, {}, 61_706),
    ("cnn_dnn", *COLOUR, {}, 1_307_850),
    ("nin", (224, 224, 1), 10, {}, 1_992_166),
    ("googlenet", *IMAGENET, {}, 6_998_552),
    ("resnet8", *COLOUR, {}, 78_186),
    ("resnet18", *IMAGENET, {}, 11_689_512),
    ("resnet34", *IMAGENET, {}, 21_797_672),
    ("resnet50", *IMAGENET, {}, 25_557_032),
    ("densenet121", *IMAGENET, {}, 7_978_856),
    ("densenet121", *COLOUR, {"growth": 12, "depths": [16, 16, 16]}, 769_162),
    ("mobilenet_v1", *IMAGENET, {}, 4_231_976),
    ("mobilenet_v2", *IMAGENET, {}, 3_504_872),
    ("alexnet", (227, 227, 3), 1000, {}, 62_378_344),
    ("alexnet", (227, 227, 3), 1000, {"groups": 2}, 60_965_224),
    ("alexnet", (224, 224, 1), 10, {}, 46_764_746),
    ("vgg11", *IMAGENET, {}, 132_863_336),
    ("vgg13", *IMAGENET, {}, 133_047_848),
    ("vgg16", *IMAGENET, {}, 138_357_544),
    ("vgg19", *IMAGENET, {}, 143_667_240),
]


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def small(name, shape, classes):
    session.begin(0)
    return MODELS[name](shape, classes, **THIN.get(name, {}))


@pytest.fixture(scope="module")
def pictures(digits):
    """128 digits enlarged to 28x28: images uint8 (128, 28, 28, 1), labels int64."""
    large = digits[0][:128].repeat(3, axis=1).repeat(3, axis=2)
    return np.pad(large, ((0, 0), (2, 2), (2, 2), (0, 0))), digits[1][:128]


@pytest.mark.parametrize(
    "shape",
    [
        (8, 8, 1),
        pytest.param((28, 28, 1), marks=pytest.mark.slow),
        pytest.param((32, 32, 3), marks=pytest.mark.slow),
    ],
    ids=str,
)
@A_KIND_FIRST
def test_every_model_maps_pictures_to_probabilities(name, shape):
    model = small(name, shape, 7)
    images = np.random.default_rng(0).uniform(size=(3, *shape)).astype(np.float32)
    probabilities = model.predict(images, verbose=0)
    assert model.input_shape == (None, *shape)
    assert probabilities.shape == (3, 7)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)
    assert model.name == name
    assert (model.layers[0].name, model.layers[-1].name) == ("images", "probabilities")


@pytest.mark.parametrize(
    "name",
    slow_but(["mlp", "lenet5", "pocket_cnn"], [name for name in MODELS if name not in APART]),
)
def test_every_model_learns_and_reaches_a_pocket(name, pictures, tmp_path):
    model = with_preprocessing(small(name, (28, 28, 1), 10), "scale", pictures[0])
    steps = 20 if len(model.layers) < 50 else 5
    losses = trained(model, *pictures, steps)
    assert min(losses[-2:]) < 0.97 * losses[0]
    reaches_a_pocket(model, pictures[0], tmp_path)


@pytest.mark.slow
@EVERY
def test_every_model_at_its_full_width_reaches_a_pocket(name, pictures, tmp_path):
    session.begin(0)
    images, labels = pictures[0][:32], pictures[1][:32]
    model = with_preprocessing(MODELS[name]((28, 28, 1), 10), "scale", images)
    assert np.isfinite(trained(model, images, labels, 2)).all()
    reaches_a_pocket(model, images, tmp_path)


@pytest.mark.slow
def test_pocket_cnn_with_a_stem_reaches_a_pocket(pictures, tmp_path):
    core = MODELS["pocket_cnn"]((28, 28, 1), 10, widths=[6, 8, 10], stem=4)
    kernels = [layer.kernel.shape[-2:] for layer in core.layers if "conv2d" in layer.name]
    assert kernels[:3] == [(1, 4), (4, 6), (6, 6)]
    assert core.layers[2].output.shape[1:3] == core.layers[4].output.shape[1:3] == (28, 28)
    reaches_a_pocket(with_preprocessing(core, "scale", pictures[0]), pictures[0], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mlp", "lenet5", "nin", "googlenet", "resnet8", "densenet121", "mobilenet_v2"]
)
def test_a_model_of_any_kind_is_pruned_between_its_ends(name, pictures):
    images, labels = pictures[0].astype(np.float32), pictures[1]

    def few_steps(twin, *, api, callbacks):
        twin.compile(api.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", run_eagerly=True)
        twin.fit(images, labels, batch_size=16, verbose=0, callbacks=callbacks)

    model = with_preprocessing(small(name, (28, 28, 1), 10), "scale", pictures[0])
    ramp = Ramp.over(8, 0.5, kind="constant", end=0.9)
    sparsities = allotted(list(prunable(model)), 0.5, exclude=["first", "last"])
    pruned = prune(model, few_steps, ramp, images[:16], sparsities)
    weights = sum(layer.weights for layer in pruned.layers)
    assert weights > 0.04 * trainable(model)  # deep_mlp has most of them at its first end
    assert sum(layer.zeros for layer in pruned.layers) == pytest.approx(weights / 2, rel=0.01)


@pytest.mark.slow
@EVERY
def test_every_model_at_its_full_width_takes_small_pictures_in_colour(name):
    with sketched():
        assert MODELS[name]((32, 32, 3), 10).output_shape == (None, 10)


def trained(model, images, labels, steps):
    """Fit some steps, each on its own since tracing a graph takes longer; return the losses."""
    rate = min(0.001, 3 / np.sqrt(trainable(model)))  # wide networks take smaller steps
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    pixels = images.astype(np.float32)
    return [float(model.train_on_batch(pixels, labels)) for _ in range(steps)]


def reaches_a_pocket(model, images, folder):
    """Save, load, mirror and convert a network, comparing what it says on real pictures."""
    pixels, few = images.astype(np.float32), images[:16]
    expected = np.asarray(model(pixels, training=False))
    save_model(model, folder / "model.keras")
    again = load_model(folder / "model.keras")(pixels, training=False)
    assert np.array_equal(np.asarray(again), expected)
    assert check_parity(model, mirror(model), pixels[:16]) == 0

    (folder / "float32.tflite").write_bytes(FORMATS["float32"](model, few, "uint8"))
    same = LiteRT(folder / "float32.tflite").predict(images)
    assert np.abs(same - expected).max() < 1e-4

    (folder / "int8.tflite").write_bytes(FORMATS["int8"](model, few, "uint8"))
    ops = inspect_file(folder / "int8.tflite").ops
    assert ops["float32"] == ops["other"] == 0 < ops["int8"]
    close = LiteRT(folder / "int8.tflite").predict(images)
    assert np.abs(close - expected).mean() < 0.02


@pytest.mark.parametrize(("name", "shape", "classes", "options", "count"), FORMS)
def test_parameters_are_as_many_as_the_source_has(name, shape, classes, options, count):
    with sketched():  # of VGG-19's weights only the shapes
        model = MODELS[name](shape, classes, **options)
    assert trainable(model) == count
    assert f"{count:,}" in MODELS.function(name).text


def test_every_model_of_a_paper_is_counted_and_cites_it():
    assert {form[0] for form in FORMS} == set(MODELS) - APART
    for name in set(MODELS) - APART - {"small_cnn", "pocket_cnn"}:
        assert "Source: " in MODELS.function(name).text


def test_resnet8_has_the_kernels_of_mlperf_tiny():
    weights = MODELS["resnet8"]((32, 32, 3), 10).weights
    kernels = [weight for weight in weights if weight.name == "kernel"]
    assert sum(int(np.prod(kernel.shape)) for kernel in kernels) == 77_360


@A_KIND_FIRST
def test_options_are_given_by_keyword_and_known_without_importing(name):
    parameters = inspect.signature(MODELS[name]).parameters
    said = MODELS.function(name).defaults
    assert list(parameters)[:2] == ["input_shape", "classes"]
    assert said == {
        key: one.default
        for key, one in parameters.items()
        if one.default is not inspect.Parameter.empty and key in said
    }
    spelled_out = MODELS[name]((28, 28, 1), 10, **said | THIN.get(name, {}))
    assert trainable(spelled_out) == trainable(small(name, (28, 28, 1), 10))
    described = getattr(MODELS[name], "func", MODELS[name])
    assert MODELS.function(name).text == inspect.getdoc(described)


@pytest.mark.parametrize(
    "name",
    slow_but(
        ["mlp", "small_cnn", "cnn_dnn", "nin", "vgg11"],
        [name for name in THIN if "width" in THIN[name]],
    ),
)
def test_a_width_makes_a_network_thinner(name):
    thin, wide = (
        trainable(MODELS[name]((28, 28, 1), 10, **THIN[name] | {"width": width}))
        for width in (THIN[name]["width"], THIN[name]["width"] * 3)
    )
    assert thin < wide / 2


def test_options_of_small_cnn_change_it():
    widths = [trainable(MODELS["small_cnn"]((8, 8, 1), 10, width=width)) for width in (4, 8)]
    assert widths[0] < widths[1] / 3
    shallow = MODELS["small_cnn"]((8, 8, 1), 10, width=4, blocks=2)
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in shallow.layers) == 2
    assert MODELS["small_cnn"]((1, 1, 1), 2).output_shape == (None, 2)


def test_lenet5_takes_another_activation():
    relu = MODELS["lenet5"]((28, 28, 1), 10, activation="relu")
    assert relu.layers[1].activation is keras.activations.relu


@pytest.mark.parametrize("kind", ["batch", "layer", "group", "instance"])
@pytest.mark.parametrize(
    ("name", "convolutions"),
    slow_but(
        [("vgg11", 8), ("nin", 11), ("cnn_dnn", 3)],
        [("vgg11", 8), ("nin", 11), ("googlenet", 57), ("cnn_dnn", 3)],
    ),
)
def test_a_network_without_normalization_takes_any(name, convolutions, kind):
    model = MODELS[name]((28, 28, 1), 10, **THIN[name], normalization=kind)
    kinds = [type(operation).__name__ for operation in model.operations]
    assert kinds.count("BatchNormalization" if kind == "batch" else "Rsqrt") == convolutions


@pytest.mark.parametrize(
    "name",
    slow_but(
        ["alexnet", "nin", "resnet18"],
        ["alexnet", "nin", "googlenet", "resnet18", "densenet121", "mobilenet_v1", "mobilenet_v2"],
    ),
)
def test_a_small_picture_meets_a_gentler_stem_unless_told_otherwise(name):
    def last_maps(size, stem):
        model = MODELS[name]((size, size, 3), 10, **THIN[name], stem=stem)
        maps = [layer.output.shape for layer in model.layers if len(layer.output.shape) == 4]
        return maps[-1][1]

    large = 128 if name in {"alexnet", "nin"} else 64
    assert last_maps(32, "auto") == last_maps(32, "small") > 1
    assert last_maps(large, "auto") == last_maps(large, "paper") < last_maps(large, "small")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "alexnet",
            {"stem": "paper"},
            "alexnet at (28, 28, 1): the pictures are too small for its ",
        ),
        ("nin", {"stem": "paper"}, "nin at (28, 28, 1): the pictures are too small for its "),
        ("vgg11", {"width": 0}, "vgg11 at (28, 28, 1): width 0: a multiplier above 0"),
        ("vgg11", {"width": -0.5}, "vgg11 at (28, 28, 1): width -0.5: a multiplier above 0"),
        ("vgg11", {"width": float("inf")}, "vgg11 at (28, 28, 1): width inf: a multiplier above"),
        ("vgg11", {"width": float("nan")}, "vgg11 at (28, 28, 1): width nan: a multiplier above"),
        ("densenet121", {"depths": [-1]}, "densenet121 at (28, 28, 1): depths [-1]: a block has"),
        ("deep_mlp", {"dropout": 1.5}, "deep_mlp at (28, 28, 1): "),
        ("small_cnn", {"width": 0}, "small_cnn at (28, 28, 1): "),
    ],
)
def test_what_a_network_cannot_do_is_one_line_that_names_it(name, options, message):
    with pytest.raises(ConfigError) as caught:
        make_core(Build(model=name, **options), (28, 28, 1), 10)
    assert str(caught.value).startswith(f"build: {message}")
    assert "\n" not in str(caught.value)


def test_an_unknown_model_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'small_cn': did you mean 'small_cnn'\?"):
        MODELS["small_cn"]


def test_listing_the_models_imports_no_keras():
    code = (
        "import sys; from models import MODELS; list(MODELS); MODELS.function('lenet5').defaults; "
        "print([name for name in ('keras', 'tensorflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_a_depthwise_kernel_keeps_the_size_of_what_it_sees():
    session.begin(0)
    images = keras.Input((16, 16, 64))
    maps = convolve_depthwise(images, normalization="none", activation="none")
    seen = np.random.default_rng(0).normal(size=(4, 16, 16, 64)).astype(np.float32)
    spread = np.asarray(keras.Model(images, maps)(seen))[:, 1:-1, 1:-1].std()
    assert spread == pytest.approx(np.sqrt(2), rel=0.1)
