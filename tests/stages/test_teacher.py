"""Each tuning can be taught by the model that it began from."""

import numpy as np
import pytest

from pipeline.fit.files import load_model
from pipeline.stages import cluster, prune, qat
from tests.marks import slow_but


class Recorded(Exception):
    """Ends a stage where it would train."""


@pytest.mark.parametrize(
    ("share", "stage"),
    slow_but(
        [(0.0, prune), (0.7, qat)],
        [(share, s) for share in (0.0, 0.7) for s in (prune, cluster, qat)],
    ),
)
def test_the_candidate_teaches_by_its_share(
    stage, share, chain, settings, do, tmp_path, monkeypatch
):
    tasks = []

    def record(_model, task, *_, **__):
        tasks.append(task)
        raise Recorded

    name = stage.__name__.rpartition(".")[2]
    path = "qat" if stage is qat else f"{name}+int8"
    step = f"{name}({name})"
    said = {name: {"teacher": share}, "variants": ["float32", path]}
    monkeypatch.setattr(stage, "fit", record)
    if stage is prune:
        said["prune"]["scan"] = False
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    with pytest.raises(Recorded):
        do(stage, settings(step, **said), inputs, tmp_path)
    (task,) = tasks
    if not share:
        assert task.teacher is None
        return
    assert task.teacher.share == share
    candidate = load_model(chain["train"] / "model.keras")
    pairs = zip(task.teacher.network.get_weights(), candidate.get_weights(), strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)
