"""What `show models` says, on file and live."""

import subprocess
import sys

import pytest

from models import MODELS
from pipeline import networks
from pipeline.errors import ConfigError
from tests.front_door import ROOT, call


@pytest.mark.parametrize("name", MODELS)
def test_the_figures_on_file_are_those_that_are_counted(name):
    """Where this fails: python -m pipeline.networks"""
    try:
        counted = networks.summed(networks.count(networks.settings_of(name)))
    except ConfigError:
        counted = None
    assert networks.figures()[name] == counted, "run: python -m pipeline.networks"


def test_the_file_names_the_networks_there_are():
    assert list(networks.figures()) == list(MODELS), "run: python -m pipeline.networks"


def test_the_list_says_every_network_and_imports_no_keras():
    code = (
        "import sys, run_pipeline; sys.argv = ['x', 'show', 'models']; run_pipeline.main(); "
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    rows = {line.split()[0]: line for line in lines if not line.startswith(" ")}
    assert set(MODELS) <= set(rows)
    for part in ("61.7 k", "417 k", "16 × 16", "LeCun et al. 1998"):
        assert part in rows["lenet5"]
    assert "our own" in rows["small_cnn"]


@pytest.mark.slow
def test_another_size_is_counted_live_with_a_line_a_network():
    done = call("show", "models", "--size", "32x32x3", "--classes", "100")
    assert done.code == 0, done.err
    counted = [name for name, known in networks.figures().items() if known]
    assert done.err.splitlines() == [f"counting {name}" for name in counted]
    assert {*counted} == {*MODELS} - {"custom", "backbone", "file"}
    # 9 * (3 * 32 + 32 * 64 + 64 * 128) + 4 * 224 + 129 * 100 = 106,820
    assert " 107 k " in done.out
    assert "at 32 × 32 × 3 with 100 classes" in done.out


@pytest.mark.slow
def test_a_backbone_is_counted_without_fetching_its_weights():
    done = call("show", "models", "backbone", "--size", "96x96x3", "--classes", "5")
    assert done.code == 0, done.err
    # MobileNetV2 without its top has 2,257,984; the new one 1,280 * 5 + 5.
    assert "2,264,389 parameters" in done.out
    assert "Downloading" not in done.out


def test_one_network_is_told_whole_with_options_laid_over():
    done = call("show", "models", "small_cnn", "build.width=8", "build.blocks=1")
    assert done.code == 0, done.err
    assert MODELS.function("small_cnn").text in done.out
    assert "build.width=8" in done.out
    lines = {line.split()[0]: line.split() for line in done.out.splitlines() if line.strip()}
    assert lines["conv2d"][1:5] == ["Conv2D", "28×28×8", "72", "56,448"]
    assert "194 parameters (178 trainable)" in done.out


@pytest.mark.slow
def test_the_network_of_a_recipe_is_told(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("build: {model: lenet5, activation: relu}\n")
    done = call("show", "models", recipe, "--size", "32x32x1")
    assert done.code == 0, done.err
    assert done.out.startswith("lenet5\n")
    assert "build.activation='relu'" in done.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--size", "28x28"], "height, width and channels are wanted, as in 224x224x3"),
        (["--size", "0x28x1"], "--size '0x28x1'"),
        (["--size", "-1x28x1"], "--size '-1x28x1'"),
        (["--size", "99999x28x1"], "none above 8192"),
        (["--classes", "0"], "--classes 0: 1 to"),
        (["--classes", "many"], "--classes"),
        (["small_cm"], "did you mean 'small_cnn'?"),
        (["lenet5", "build.activaton=relu"], "did you mean 'activation'?"),
        (["missing.yaml"], "no such recipe"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_line_and_exit_2(words, says):
    done = call("show", "models", *words)
    assert done.code == 2
    (line,) = done.errors
    assert says in line


def test_sizes_are_of_models_only():
    done = call("show", "datasets", "--size", "28x28x1")
    assert (done.code, len(done.errors)) == (2, 1)


@pytest.mark.parametrize(
    ("source", "short"),
    [
        (
            'Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based", 1998; in 2',
            "LeCun et al. 1998",
        ),
        ('Source: He, Zhang, Ren and Sun, "Deep Residual\nLearning", CVPR 2016.', "He et al. 2016"),
        ('Source: Simonyan and Zisserman, "Very Deep", 2015', "Simonyan and Zisserman 2015"),
        ('Source: Chollet, "Xception of 1999", 2017', "Chollet 2017"),
        ('Source: Krizhevsky et al., "ImageNet", 2012', "Krizhevsky et al. 2012"),
        ("Source: Lin, Chen, Yan (2014), in our words", "Lin et al. 2014"),
        ("Nothing of the kind.", "our own"),
    ],
)
def test_a_paper_is_cited_by_its_authors_and_year(source, short):
    assert networks.citation(f"What it does.\n\n{source}") == short
