"""The diagram of a network: what is folded, what stands side by side, what is drawn once."""

import pytest

from pipeline.show import figures
from pipeline.show.boxes import Box, fold
from pipeline.show.network import Layer, Network
from pipeline.show.weave import Fork, Repeat, weave
from tests.show.drawn import saved, words


class Sketch:
    """Layers written one below the other; `add` gives the place of the new one."""

    def __init__(self):
        self.layers = []
        self.last = self.add("InputLayer", inputs=())

    def add(self, kind, inputs=None, output=(8, 8, 4), macs=0, **said):
        before = (self.last,) if inputs is None else tuple(inputs)
        facts = {"name": f"{kind}{len(self.layers)}", "params": macs // 10, "trainable": 0} | said
        self.layers.append(Layer(kind=kind, inputs=before, output=output, macs=macs, **facts))
        self.last = len(self.layers) - 1
        return self.last

    def conv(self, filters=4, inputs=None, side=3, then=("BatchNormalization", "ReLU")):
        kernel = {"kernel": (side, side), "strides": (1, 1), "filters": filters, "groups": 1}
        self.add("Conv2D", inputs, (8, 8, filters), macs=1000, **kernel)
        for kind in then:
            self.add(kind, output=(8, 8, filters))
        return self.last

    def residual(self):
        start = self.last
        end = self.conv(then=("BatchNormalization",), inputs=[self.conv()])
        self.add("Add", [end, start])
        self.add("ReLU")

    def network(self):
        macs = sum(layer.macs for layer in self.layers)
        return Network(
            name="net", params=9, trainable=9, macs=macs, int8_bytes=9, layers=tuple(self.layers)
        )

    def woven(self):
        return weave(*fold(self.layers))


@pytest.fixture
def sketch():
    return Sketch()


def said(items):
    """A series as nested lists of labels."""
    found = []
    for item in items:
        match item:
            case Box():
                found.append(item.full)
            case Repeat(inside, times):
                found.append((times, said(inside)))
            case Fork(branches, skips, join):
                found.append(([said(b) for b in branches], skips, join and join.full))
    return found


def test_a_convolution_takes_in_what_normalizes_and_activates_it(sketch):
    sketch.add("Rescaling")
    sketch.conv(32)
    sketch.add("MaxPooling2D", kernel=(2, 2), strides=(2, 2), output=(4, 4, 32))
    sketch.add("GlobalAveragePooling2D", output=(32,))
    sketch.add("Dense", filters=10, activation="softmax", output=(10,), macs=320)
    assert said(sketch.woven()) == [
        "input · scale",
        "conv 3×3, 32 · BN · ReLU",
        "max pool 2×2 /2",
        "global average pool",
        "dense 10 · softmax",
    ]


def test_what_prepares_a_layer_stands_before_it(sketch):
    start = sketch.conv(then=())
    sketch.add("Concatenate", [sketch.conv(), start])
    sketch.add("BatchNormalization")
    sketch.add("ReLU")
    sketch.add("ZeroPadding2D")
    sketch.conv(7, then=())
    assert said(sketch.woven())[-1] == "BN · ReLU · conv 3×3, 7"


def test_a_residual_block_is_a_branch_beside_a_line(sketch):
    sketch.residual()
    branch = ["conv 3×3, 4 · BN · ReLU", "conv 3×3, 4 · BN"]
    assert said(sketch.woven()) == ["input", ([branch], 1, "+ · ReLU")]


def test_equal_blocks_are_drawn_once_and_their_costs_summed(sketch):
    for _ in range(4):
        sketch.residual()
    _, repeat = sketch.woven()
    assert (type(repeat), repeat.times) == (Repeat, 4)
    (block,) = repeat.items
    assert [box.macs for box in block.branches[0]] == [4000, 4000]


def test_blocks_that_differ_in_anything_told_are_drawn_each(sketch):
    for filters in (4, 4, 8, 4):
        sketch.conv(filters)
    assert [item for item in sketch.woven() if isinstance(item, Repeat)] == []


def test_a_sequence_of_several_repeats_too(sketch):
    for _ in range(5):
        sketch.conv(4)
        sketch.conv(4, side=1)
    assert said(sketch.woven())[1:] == [(5, ["conv 3×3, 4 · BN · ReLU", "conv 1×1, 4 · BN · ReLU"])]


def test_branches_within_branches_are_nested(sketch):
    start = sketch.last
    stem = sketch.conv(1, [start])
    inner = sketch.add("Concatenate", [sketch.conv(2, [stem]), sketch.conv(3, [stem])])
    sketch.add("Concatenate", [inner, sketch.conv(4, [start])])
    nested = ([[f"conv 3×3, {n} · BN · ReLU"] for n in (2, 3)], 0, "concat")
    left = ["conv 3×3, 1 · BN · ReLU", nested]
    assert said(sketch.woven())[1] == ([left, ["conv 3×3, 4 · BN · ReLU"]], 0, "concat")


def test_an_encoder_and_decoder_are_skips_within_skips(sketch):
    start = sketch.last
    first = sketch.conv(1, [start])
    second = sketch.conv(2, [first])
    up = sketch.add("Concatenate", [sketch.conv(3, [second]), second])
    sketch.add("Concatenate", [sketch.conv(5, [up]), first])
    (branch,), skips, join = said(sketch.woven())[2]
    assert (skips, join) == (1, "concat")
    assert branch[1] == ([["conv 3×3, 3 · BN · ReLU"]], 1, "concat")


def test_what_is_interwoven_is_one_box_that_says_so(sketch):
    start = sketch.last
    a, b = sketch.conv(1, [start]), sketch.conv(2, [start])
    c = sketch.add("Add", [a, b])
    d = sketch.conv(3, [b])
    sketch.add("Add", [c, d])
    ((branch,), _, join) = said(sketch.woven())[1]
    assert (branch, join) == (["4 boxes, interwoven"], "+")


def test_no_cost_is_lost_on_the_way_to_the_picture(sketch):
    for _ in range(3):
        sketch.residual()
    boxes, _ = fold(sketch.layers)
    assert sum(box.macs for box in boxes) == sum(layer.macs for layer in sketch.layers)
    assert sum(box.params for box in boxes) == sum(layer.params for layer in sketch.layers)


def test_the_figure_says_forms_sizes_and_shares(sketch):
    sketch.conv(32)
    sketch.conv(16, side=1, then=())
    shown = words(figures.network(sketch.network()))
    assert {"conv 3×3, 32 · BN · ReLU", "100 params · 50 % · 8×8×16"} <= set(shown)
    assert "?" not in shown, "a word that is left out"
    assert any("2.00 k multiply-accumulates" in text for text in shown)


def test_equal_networks_give_equal_bytes_and_odd_names_are_drawn(sketch, tmp_path):
    sketch.conv()
    sketch.add("$x_1$猫")
    sketch.add("NoSuchJoin{}", [0, sketch.last])
    network = sketch.network().model_copy(update={"name": "$a_b$"})
    pictures = [saved(figures.network(network), tmp_path) for _ in range(2)]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("blocks", [0, 1, 40])
def test_from_no_layer_to_very_many_all_stay_on_the_page(sketch, blocks, tmp_path):
    for number in range(blocks):
        sketch.residual()
        sketch.conv(number + 1)
    figure = figures.network(sketch.network())
    width, height = figure.get_size_inches()
    (sheet,) = figure.axes
    for text in sheet.texts:
        x, y = text.get_position()
        assert 0 <= x <= width
        assert 0 <= y <= height
    saved(figure, tmp_path)
