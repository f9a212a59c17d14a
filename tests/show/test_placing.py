"""Labels beside discs."""

import random

from pipeline.show.placing import Box, Disc, place_labels, side_by_side

FIELD = Box(0, 0, 6, 4)


def _covered(boxes):
    return [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlap(b) > 0]


def test_labels_of_scattered_discs_cover_neither_each_other_nor_a_disc():
    chance = random.Random(0)
    discs = [Disc(chance.uniform(0.5, 5.5), chance.uniform(0.5, 3.5), 0.15) for _ in range(8)]
    boxes = place_labels(discs, [(1.1, 0.28)] * 8, FIELD)
    assert not _covered(boxes)
    assert not any(box.touches(disc) for box in boxes for disc in discs)
    assert all(box.inside(FIELD) for box in boxes)


def test_labels_of_discs_on_one_spot_still_find_room():
    discs = [Disc(1 + 0.01 * i, 2, 0.1) for i in range(8)]
    assert not _covered(place_labels(discs, [(1.0, 0.28)] * 8, FIELD))


def test_a_line_is_avoided_where_there_is_room_beside_it():
    line = Box(2.2, 0, 2.22, 4)
    (box,) = place_labels([Disc(2, 2, 0.1)], [(1.0, 0.3)], FIELD, [line])
    assert box.overlap(line) == 0


def test_equal_places_are_spread_and_distant_ones_left_alone():
    xs = side_by_side([1.0, 3.0, 1.0, 1.0], pitch=0.2, limit=0.6)
    assert xs[1] == 3.0
    assert sorted(xs[:1] + xs[2:]) == [0.8, 1.0, 1.2]


def test_a_crowd_grows_no_wider_than_the_limit():
    xs = side_by_side([1.0] * 20, pitch=0.2, limit=0.6)
    assert max(xs) - min(xs) < 0.601


def test_spreading_keeps_the_order_of_sizes():
    xs = side_by_side([1.3, 1.0, 1.15, 1.02], pitch=0.2, limit=0.6)
    assert xs[1] < xs[3] < xs[2] < xs[0]
