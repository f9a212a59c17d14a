import json

import numpy as np
import pytest

from pipeline.errors import ConfigError, DataError
from pipeline.stages import ingest


def test_every_split_is_there_as_a_file_that_can_be_mapped(chain, metrics):
    facts = json.loads((chain["ingest"] / "dataset.json").read_text())
    for split in ("train", "validation", "test"):
        images = np.load(chain["ingest"] / f"{split}_images.npy", mmap_mode="r")
        labels = np.load(chain["ingest"] / f"{split}_labels.npy", mmap_mode="r")
        assert isinstance(images, np.memmap)
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert images.shape == (facts[split], 8, 8, 1)
        assert labels.shape == (facts[split],)
        assert set(labels.tolist()) == set(range(10))
        assert metrics["ingest"][split] == facts[split]
    assert len(list(chain["ingest"].iterdir())) == 7
    assert abs(facts["train"] - 480) < 10
    assert facts["classes"] == list("0123456789")


def test_no_picture_is_in_two_splits(chain, digits):
    ids = {}
    for split in ("train", "validation", "test"):
        images = np.load(chain["ingest"] / f"{split}_images.npy")
        ids[split] = {image.tobytes() for image in images}
        assert len(ids[split]) == len(images)
    assert not ids["train"] & ids["validation"]
    assert not (ids["train"] | ids["validation"]) & ids["test"]


def test_the_same_settings_give_the_same_bytes(chain, settings, do, tmp_path):
    do(ingest, settings("ingest"), {}, tmp_path)
    for path in chain["ingest"].iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_source_that_is_not_there_is_refused_before_the_run(settings, tmp_path):
    missing = {"dataset": "arrays", "path": str(tmp_path / "gone.npz")}
    with pytest.raises(DataError, match=r"gone\.npz"):
        ingest.check(settings("ingest", ingest=missing))
    with pytest.raises(ConfigError, match="leave path out"):
        ingest.check(settings("ingest", ingest={"path": str(tmp_path)}))
