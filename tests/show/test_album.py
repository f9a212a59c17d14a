"""The album: figures that a report's own facts give, drawn under the names it has for them."""

import pytest
from PIL import Image

from pipeline.show import album, figures, places
from tests.show.test_doctor import ILL, WELL
from tests.show.test_pruning import FOUND

SPREAD = figures.Histogram("CONV_2D #3", -1.0, 1.0, [0, 5, 90, 5, 0], [0, 0, 100, 0, 0])


@pytest.fixture
def full(facts, make):
    """A report with something of every kind, but no figures yet."""
    return make(figures=[], sensitivities=[FOUND, FOUND], doctors=[WELL, ILL])


def names(plates):
    return [plate.picture.file for plate in plates]


def test_every_plate_is_drawn_under_its_own_name(full, tmp_path):
    plates = list(album.plates(full, {"int8": [SPREAD]}))
    assert names(plates) == [
        "size_accuracy_latency.png",
        "sensitivity-1.png",
        "sensitivity-2.png",
        "error_by_depth-1.png",
        "activations-1.png",
        "error_by_depth-2.png",
        "activations-2.png",
        "weights-1.png",
        "class_balance.png",
        "data_spread.png",
    ]
    for plate in plates:
        plate.leave(tmp_path)
        with Image.open(tmp_path / plate.picture.file) as image:
            assert image.width > 600


def test_a_run_over_seeds_has_the_accuracy_of_each(seeds):
    assert "accuracy_by_run.png" in names(album.plates(seeds, {}))


def test_what_was_drawn_before_is_copied(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "drawn.png")
    (tmp_path / "out").mkdir()
    album.Plate(places.single("network"), tmp_path / "drawn.png").leave(tmp_path / "out")
    drawn, copied = tmp_path / "drawn.png", tmp_path / "out" / "network.png"
    assert copied.read_bytes() == drawn.read_bytes()


def test_plates_stand_in_the_order_of_the_table(full, tmp_path):
    late = album.Plate(places.single("training_curves"), tmp_path)
    plates = [late, *album.plates(full, {})]
    ordered = names(album.in_order(plates[::-1]))
    order = list(places.FIGURES)
    stems = [places.stem(plate.picture) for plate in album.in_order(plates)]
    assert [order.index(stem) for stem in stems] == sorted(order.index(stem) for stem in stems)
    assert ordered.index("sensitivity-2.png") < ordered.index("sensitivity-1.png")
