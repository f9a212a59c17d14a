from pipeline.measure.weights import BINS, kernel_spreads


def test_kernels_of_two_files_stand_side_by_side(tflite_nets):
    found = kernel_spreads(tflite_nets["float32"], tflite_nets["int8"], 6)
    assert [one.title.split(" #")[0] for one in found] == ["CONV_2D", "CONV_2D", "FULLY_CONNECTED"]
    assert found[1].title.endswith("3×3, 8 → 32")
    for one, weights in zip(found, (8 * 9, 8 * 9 * 32, 4 * 4 * 32 * 10), strict=True):
        assert len(one.before) == BINS
        assert sum(one.before) == sum(one.after) == weights
        moved = sum(abs(a - b) for a, b in zip(one.before, one.after, strict=True)) / 2
        assert moved < 0.2 * weights, "rounding moves a weight by less than a bin"


def test_float16_is_read_behind_its_conversion(tflite_nets):
    found = kernel_spreads(tflite_nets["float32"], tflite_nets["float16"], 6)
    assert len(found) == 3
    for one in found:
        moved = sum(abs(a - b) for a, b in zip(one.before, one.after, strict=True)) / 2
        assert sum(one.after) == sum(one.before)
        assert moved < 0.02 * sum(one.before)


def test_the_largest_are_chosen_and_keep_their_order(tflite_nets):
    every = kernel_spreads(tflite_nets["float32"], tflite_nets["int8"], 6)
    assert kernel_spreads(tflite_nets["float32"], tflite_nets["int8"], 2) == every[1:]


def test_zeros_of_a_pruned_file_stand_in_the_middle_bin(tflite_nets):
    found = kernel_spreads(tflite_nets["pruned_float32"], tflite_nets["pruned_int8"], 6)[-1]
    assert found.before[BINS // 2] == found.after[BINS // 2] == sum(found.after) / 2


def test_another_network_has_nothing_to_stand_beside(tflite_nets):
    assert kernel_spreads(tflite_nets["float32"], tflite_nets["depthwise_int8"], 6) == ()
