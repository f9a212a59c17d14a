import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.files import load_model
from pipeline.show.network import Network
from pipeline.stages import build
from tests.marks import slow_but


@pytest.fixture
def core(settings):
    session.begin(0)
    made = build.make_core(settings("build"), (8, 8, 1), 10)
    for layer in made.layers:  # so that a statistic left behind would be seen
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean - 0.3)
    return made


@pytest.mark.parametrize("kind", slow_but(["standardize"], ["scale", "centre", "standardize"]))
def test_raw_pixels_give_what_the_core_gives_for_normalized_ones(kind, core, train_images):
    model = build.with_preprocessing(core, kind, train_images)
    pixels = np.asarray(train_images[:32], np.float32)
    mean, deviation = (f(train_images, (0, 1, 2), dtype=np.float64) for f in (np.mean, np.std))
    taken, divided = {"scale": (0, 255), "centre": (mean, 255), "standardize": (mean, deviation)}[
        kind
    ]
    normalized = ((pixels - taken) / divided).astype(np.float32)
    if kind != "scale":
        assert abs(normalized.mean()) < 0.1
    answers = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(answers, core.predict(normalized, verbose=0), atol=1e-5)
    assert np.ptp(answers, axis=0).max() > 1e-3  # and it is no constant


@pytest.mark.parametrize("kind", ["scale", "centre", "standardize"])
def test_preprocessing_and_core_are_one_flat_graph_of_layers(kind, core, train_images):
    model = build.with_preprocessing(core, kind, train_images)
    assert [type(operation) for operation in model.operations] == [
        keras.layers.InputLayer,
        keras.layers.Rescaling if kind == "scale" else keras.layers.Normalization,
        *(type(layer) for layer in core.layers[1:]),
    ]
    assert model.input_shape == (None, 8, 8, 1)
    assert model.name == core.name


def test_a_channel_constant_in_training_is_not_blown_up(settings):
    core = build.make_core(settings("build"), (8, 8, 3), 10)
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    images[..., 1] = 77
    model = build.with_preprocessing(core, "standardize", images)
    normalize = keras.Model(model.input, model.get_layer("standardize").output)
    images[..., 1] = 79  # and then a picture is two steps off
    normalized = normalize.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(normalized[..., 1], 2, rtol=1e-6)


def test_one_seed_gives_the_same_bytes_and_another_others(chain, settings, do, tmp_path):
    files = {}
    for name, seed in (("same", 0), ("other", 1)):
        keras.layers.Dense(3).build((None, 2))  # whatever ran before
        do(build, settings("build", seed=seed), {"ingest": chain["ingest"]}, tmp_path / name)
        files[name] = (tmp_path / name / "model.keras").read_bytes()
    assert files["same"] == (chain["build"] / "model.keras").read_bytes()
    assert files["same"] != files["other"]


def test_the_options_of_the_recipe_reach_the_network(chain, metrics):
    model = load_model(chain["build"] / "model.keras")
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [6, 12, 24]
    said = metrics["build"]
    assert (said["model"], said["params"]) == ("small_cnn", model.count_params())
    assert "probabilities" in (chain["build"] / "summary.txt").read_text()


def test_layers_are_written_as_they_are_counted_and_drawn(chain, metrics):
    network = Network.model_validate_json((chain["build"] / "layers.json").read_text())
    # 3x3 convolutions at 8, 4 and 2 pixels a side, channels 1-6-12-24, and the dense layer
    macs = 9 * (64 * 1 * 6 + 16 * 6 * 12 + 4 * 12 * 24) + 24 * 10
    assert network.macs == sum(layer.macs for layer in network.layers) == macs
    assert metrics["build"]["macs"] == macs
    assert network.receptive_field == (22, 22)
    assert [layer.kind for layer in network.layers][:3] == ["InputLayer", "Rescaling", "Conv2D"]
    picture = (chain["build"] / "figures" / "network.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_what_build_says_to_people_is_the_same_each_time(chain, settings, do, tmp_path):
    keras.layers.Dense(3).build((None, 2))  # whatever ran before
    do(build, settings("build"), {"ingest": chain["ingest"]}, tmp_path / "again")
    for name in ("layers.json", "figures/network.png", "summary.txt"):
        again = (tmp_path / "again" / name).read_bytes()
        assert again == (chain["build"] / name).read_bytes()


def test_an_option_the_network_refuses_is_one_line(settings):
    with pytest.raises(ConfigError, match=r"^build: small_cnn at \(8, 8, 1\): ") as caught:
        build.make_core(settings("build", build={"width": -2}), (8, 8, 1), 10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 20_000},
        {"width": 10**12},
        pytest.param({"blocks": 5000}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_network_too_large_for_a_file_is_refused_before_it_takes_memory(
    options, chain, settings, do, tmp_path
):
    with pytest.raises(ConfigError, match=r"^build: small_cnn at \(8, 8, 1\): ") as caught:
        do(build, settings("build", build=options), {"ingest": chain["ingest"]}, tmp_path)
    assert "\n" not in str(caught.value)
