import json

import numpy as np
import pytest

from pipeline.data import POLICIES
from pipeline.errors import ConfigError
from pipeline.stages import augment


def test_the_policy_is_written_out_in_full_and_shown(chain, metrics):
    policy = json.loads((chain["augment"] / "policy.json").read_text())
    assert policy == list(POLICIES["light"])
    assert metrics["augment"] == {"operations": 2}
    picture = (chain["augment"] / "figures" / "augmentation_preview.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_bare_names_get_their_empty_arguments(chain, settings, do, tmp_path):
    wanted = settings("augment", augment={"policy": ["flip", {"noise": None}]})
    do(augment, wanted, {"ingest": chain["ingest"]}, tmp_path)
    assert json.loads((tmp_path / "policy.json").read_text()) == [{"flip": {}}, {"noise": {}}]


def test_the_preview_shows_other_changes_in_every_round_and_the_same_for_one_seed(train_images):
    originals = np.asarray(train_images[:4])
    rounds = augment.preview(originals, list(POLICIES["strong"]), seed=1)
    assert rounds.shape == (augment.ROUNDS, 4, 8, 8, 1)
    assert rounds.dtype == np.uint8
    assert len({changed.tobytes() for changed in (*rounds, originals)}) == augment.ROUNDS + 1
    assert np.array_equal(augment.preview(originals, list(POLICIES["strong"]), seed=1), rounds)
    assert not np.array_equal(augment.preview(originals, list(POLICIES["strong"]), seed=2), rounds)


@pytest.mark.parametrize(
    "policy",
    [[{"rotate": {"factor": 7}}], [{"rotate": {}}], [{"erase": {"fill_value": "pink"}}]],
)
def test_a_wrong_argument_is_refused_before_anything_runs(policy, settings):
    with pytest.raises(ConfigError, match=r"^augment\.policy: "):
        augment.check(settings("augment", augment={"policy": policy}))


@pytest.mark.parametrize("policy", ["none", "light", "strong", ["hue", "saturation"]])
def test_what_works_passes_the_check(policy, settings):
    if isinstance(policy, list):
        policy = [{name: {"factor": 0.2}} for name in policy]
    augment.check(settings("augment", augment={"policy": policy}))


def test_colour_for_gray_pictures_is_refused_when_they_are_known(chain, settings, do, tmp_path):
    colour = settings("augment", augment={"policy": [{"hue": {"factor": 0.2}}]})
    with pytest.raises(ConfigError, match="hue: it changes colours, and these pictures are gray"):
        do(augment, colour, {"ingest": chain["ingest"]}, tmp_path)
