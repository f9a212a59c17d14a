"""What the network shows as soon as it is built is said before anything is trained."""

import keras
import pytest

from pipeline.settings import Prune
from pipeline.stages import prune, train


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """A folder for all runs of this file: what one has read or built, the next has."""
    return tmp_path_factory.mktemp("network_checks")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["prune.exclude=[hidden*]", "variants=[float32,prune+int8]"],
            "prune: exclude pattern 'hidden*' matches no layer with a kernel: conv2d, ",
        ),
        (
            ["prune.layers={hidden*: 0.5}", "prune.sparsity=auto", "variants=[prune+int8]"],
            "prune: layers pattern 'hidden*' matches no layer with a kernel: conv2d, ",
        ),
        (
            ["build.width=8", "cluster.layers={first: 256}", "variants=[float32,cluster+int8]"],
            "cluster: layer 'conv2d' has 72 weights, fewer than 256 clusters",
        ),
        (
            ["slim.keep=[hidden*]", "variants=[float32,slim+prune+int8]"],
            "slim: keep pattern 'hidden*' matches no layer: ",
        ),
        (
            ["slim.macs=0.01", "variants=[float32,slim+int8]"],
            "slim: macs of 1.0% are out of reach: with all removed that can be, ",
        ),
        (
            ["build={model: mlp, width: 32}", "slim.importance=scale", "variants=[slim+int8]"],
            "slim: no channel of model 'mlp' has a batch normalization with a scale: ",
        ),
        (
            ["slim.bytes=0.02", "variants=[float32,slim+int8]"],
            "slim.bytes: 2.0% is out of reach: with all removed that can be, ",
        ),
        (
            ["slim.latency=0.01", "variants=[float32,slim+int8]"],
            "slim.latency: 1.0% is out of reach: with all removed that can be, ",
        ),
    ],
    ids=lambda one: one[0].partition("=")[0] if isinstance(one, list) else "",
)
def test_it_is_one_line_and_exit_2_and_nothing_was_trained(words, said, inside, artifacts):
    refused(inside, artifacts, *words, said=said)


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("prune+int8", "prune: cannot mirror the model: layer 'odd' (Resizing)"),
        ("cluster+int8", "cluster: cannot mirror the model: layer 'odd' (Resizing)"),
        ("qat", "qat: cannot train as the file of layer 'odd' (Resizing)"),
        ("slim+int8", "slim: what 'strange' (Dot) does to channels is not known: keep it whole"),
    ],
)
def test_a_layer_that_a_stage_cannot_take_is_named(variant, said, inside, artifacts, tmp_path):
    layers = keras.layers
    images = keras.Input((8, 8, 1))
    x = layers.Resizing(8, 8, pad_to_aspect_ratio=True, name="odd")(layers.Rescaling(0.004)(images))
    x = layers.Flatten()(layers.Conv2D(16, 3)(x))
    x = layers.Concatenate()([x, layers.Dot(axes=1, name="strange")([x, x])])
    keras.Model(images, layers.Dense(10, activation="softmax")(x)).save(tmp_path / "own.keras")
    words = ["build.model=file", f"build.path={tmp_path / 'own.keras'}", f"variants=[{variant}]"]
    refused(inside, artifacts, *words, said=said)


def refused(inside, artifacts, *words, said, built=1):
    done = inside("run", *words, artifacts=artifacts)
    *before, last = done.errors
    assert (done.code, last[: len(said) + 7]) == (2, f"error: {said}")
    steps = [line.split()[1].partition("(")[0] for line in before]
    assert steps == ["ingest", "augment", *["build"] * built]
    assert not (artifacts / ".cache" / "train").exists()


def test_a_pupil_and_its_teacher_are_looked_at_together(inside, artifacts):
    """Also where an ensemble teaches, whose members have the layers of `build`."""
    near = (
        "distill={features: 1.0, presets: {near: {pupil: {model: lenet5}, feature_layers: {%s}}}}"
    )
    for layers, said in (
        ("conv1d: re_lu", "the pupil has no layer 'conv1d': did you mean 'conv2d'?"),
        ("conv2d: re_lo", "the teacher has no layer 're_lo': did you mean 're_lu'?"),
        ("conv2d_1: re_lu", "conv2d_1 of the pupil gives 4x4, re_lu of the teacher 8x8: "),
    ):
        for variant in ("distill.near+int8", "ensemble+distill.near+scratch+int8"):
            words = [near % layers, f"variants=[float32,{variant}]"]
            said_here = f"distill.feature_layers: {said}"
            refused(inside, artifacts, *words, said=said_here, built=2)


def test_what_comes_behind_a_pupil_looks_at_the_pupil(inside, artifacts):
    words = ["distill.pupil={model: lenet5}", "slim.keep=[conv2d_4]", "prune.exclude=[dense_9]"]
    said = "slim: keep pattern 'conv2d_4' matches no layer: "
    refused(inside, artifacts, *words, "variants=[distill+slim+int8]", said=said, built=2)
    said = "prune: exclude pattern 'dense_9' matches no layer with a kernel: conv2d, conv2d_1, "
    refused(inside, artifacts, *words, "variants=[distill+prune+int8]", said=said, built=2)


def test_equal_settings_are_asked_about_once(inside, artifacts, monkeypatch):
    asked = []
    monkeypatch.setattr(prune, "check_network", lambda settings, inputs: asked.append(settings))
    words = ["variants=[prune+int8,prune+dynamic,prune.hard+int8]", "prune.presets={hard: {}}"]
    monkeypatch.setattr(train, "run", None)
    inside("run", *words, artifacts=artifacts)
    assert len(asked) == 1
    assert isinstance(asked[0], Prune)
