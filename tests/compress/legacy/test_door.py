import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, sys
before = dict(os.environ)
from pipeline.compress.legacy import mirror
assert "tensorflow_model_optimization" not in sys.modules, "the mirror alone needs no tfmot"
from pipeline.compress.legacy.pruning import prune
changed = {k for k in before.keys() | os.environ.keys() if before.get(k) != os.environ.get(k)}
import keras, tensorflow
assert not {k for k in changed if "KERAS" in k}, changed
assert tensorflow.keras.Model.__module__.startswith({package!r})
images = keras.Input((4, 4, 1))
assert type(keras.Model(images, keras.layers.Flatten()(images))).__module__.startswith("keras.src")
"""


@pytest.mark.parametrize(
    ("flag", "package"), [(None, "keras."), pytest.param("1", "tf_keras.", marks=pytest.mark.slow)]
)
def test_importing_tfmot_leaves_the_environment_and_keras_as_they_were(flag, package):
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    if flag is not None:
        environment["TF_USE_LEGACY_KERAS"] = flag
    code = CODE.replace("{package!r}", repr(package))
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
