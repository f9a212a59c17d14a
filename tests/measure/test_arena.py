import random

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from pipeline.measure.arena import Lifetime, activations, arena_bytes, plan
from pipeline.measure.tflite import read_graph


def test_a_chain_reuses_memory_of_what_is_no_longer_read():
    # 200 goes first, at 0; 100 lives beside it, above 200 rounded up to 256; 50 comes when 100 is
    # gone but 200 is not, so it takes 100's place.
    chain = [Lifetime(100, 0, 1), Lifetime(200, 1, 2), Lifetime(50, 2, 3)]
    assert plan(chain) == [256, 0, 256]


def test_what_lives_from_first_to_last_lies_at_the_bottom():
    chain = [Lifetime(64, 0, 3), Lifetime(100, 0, 1), Lifetime(200, 1, 2), Lifetime(50, 2, 3)]
    assert plan(chain) == [0, 64 + 256, 64, 64 + 256]


def test_the_smallest_gap_that_fits_is_taken():
    # Four blocks stand in a row over operation 1. At operation 2 the second and the last remain,
    # with a gap of 640 below the one and of 448 below the other: 300 takes the latter.
    blocks = [Lifetime(640, 1, 1), Lifetime(512, 1, 2), Lifetime(448, 1, 1), Lifetime(320, 1, 2)]
    assert plan([*blocks, Lifetime(300, 2, 2)]) == [0, 640, 1152, 1600, 1152]


@pytest.mark.parametrize("seed", range(20))
def test_no_two_tensors_that_live_at_once_share_a_byte(seed):
    dice = random.Random(seed)
    tensors = []
    for _ in range(30):
        first = dice.randrange(20)
        tensors.append(Lifetime(dice.randrange(1, 5000), first, first + dice.randrange(6)))
    offsets = plan(tensors)
    assert all(offset % 64 == 0 for offset in offsets)
    placed = list(zip(tensors, offsets, strict=True))
    for number, (one, low) in enumerate(placed):
        for other, start in placed[:number]:
            together = one.first <= other.last and other.first <= one.last
            apart = low + one.bytes <= start or start + other.bytes <= low
            assert apart or not together


@pytest.mark.parametrize(
    "name", ["float32", "float16", "int8", "int8_edges", "int16x8", "depthwise_int8"]
)
def test_the_plan_is_as_large_as_what_litert_lays_out(tflite_nets, name):
    """The reference kernels of these nets need no temporary tensors that raise the peak."""
    path = tflite_nets[name]
    graph = read_graph(path.read_bytes(), name)
    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    spans = []
    for index in activations(graph):
        view = interpreter.tensor(index)()
        start = view.__array_interface__["data"][0]
        spans.append((start, start + view.nbytes))
    laid_out = max(stop for _, stop in spans) - min(start for start, _ in spans)
    assert arena_bytes(graph) == laid_out


def test_two_tensors_that_meet_in_an_operation_both_stand(tflite_nets):
    # uint8 and int8 picture, 64 each; 8x8x8 convolution 512; then 4x4x8 pooled 128 above it.
    graph = read_graph(tflite_nets["int8"].read_bytes(), "int8")
    assert arena_bytes(graph) == 64 + 512 + 128
