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
    originals, labels = np.asarray(train_images[:4]), np.arange(4)

    def rounds(seed):
        return augment.preview(originals, labels, 10, list(POLICIES["strong"]), seed)[0]

    first = rounds(1)
    assert first.shape == (augment.ROUNDS, 4, 8, 8, 1)
    assert first.dtype == np.uint8
    assert len({changed.tobytes() for changed in (*first, originals)}) == augment.ROUNDS + 1
    assert np.array_equal(rounds(1), first)
    assert not np.array_equal(rounds(2), first)


def test_the_preview_says_of_which_classes_a_mixed_picture_is(train_images):
    originals, labels = np.asarray(train_images[:4]), np.arange(4)
    mixed = [{"mixup": {"alpha": 1.0}}]
    copies, shares = augment.preview(originals, labels, 10, mixed, 1)
    assert shares.shape == (augment.ROUNDS, 4, 10)
    expected = np.einsum("rnk,khwc->rnhwc", shares[..., :4], originals)
    assert np.abs(copies - expected).max() <= 0.51
    assert shares.max(axis=2).min() < 0.9
    plain = augment.preview(originals, labels, 10, list(POLICIES["strong"]), 1)[1]
    assert set(np.unique(plain)) == {0, 1}


def test_the_policy_is_written_as_strength_makes_it(chain, settings, do, tmp_path):
    wanted = settings("augment", augment={"policy": ["mixup"], "strength": 0.5})
    do(augment, wanted, {"ingest": chain["ingest"]}, tmp_path)
    assert json.loads((tmp_path / "policy.json").read_text()) == [{"mixup": {"alpha": 0.1}}]
    assert (tmp_path / "figures" / "augmentation_preview.png").is_file()


def test_a_crop_larger_than_the_pictures_is_refused_when_they_are_known(
    chain, settings, do, tmp_path
):
    crop = settings("augment", augment={"policy": [{"crop": {"padding": 8}}]})
    augment.check(crop)
    with pytest.raises(ConfigError, match=r"crop: `padding` 8 may leave nothing of pictures of 8"):
        do(augment, crop, {"ingest": chain["ingest"]}, tmp_path)


@pytest.mark.parametrize(
    "policy",
    [
        [{"rotate": {"factor": 7}}],
        [{"rotate": {}}],
        [{"erase": {"fill_value": "pink"}}],
        [{"mixup": {"alpha": 0}}],
        [{"crop": {"padding": 1000}}],
        [{"cutmix": {"beta": 1}}],
    ],
)
def test_a_wrong_argument_is_refused_before_anything_runs(policy, settings):
    with pytest.raises(ConfigError, match=r"^augment\.policy: "):
        augment.check(settings("augment", augment={"policy": policy}))
    with pytest.raises(ConfigError, match=r"^augment\.policy: "):
        augment.check(settings("augment", augment={"policy": policy, "strength": 0.1}))


@pytest.mark.parametrize("policy", [*POLICIES, ["hue", "saturation"]])
def test_what_works_passes_the_check(policy, settings):
    if isinstance(policy, list):
        policy = [{name: {"factor": 0.2}} for name in policy]
    augment.check(settings("augment", augment={"policy": policy}))


def test_colour_for_gray_pictures_is_refused_when_they_are_known(chain, settings, do, tmp_path):
    colour = settings("augment", augment={"policy": [{"hue": {"factor": 0.2}}]})
    with pytest.raises(ConfigError, match="hue: it changes colours, and these pictures are gray"):
        do(augment, colour, {"ingest": chain["ingest"]}, tmp_path)
