from pipeline.measure.controls import controls


def test_a_control_is_the_same_path_with_scratch_in_it():
    names = ["float32", "slim+int8", "slim+scratch+int8", "slim+scratch.long+int8", "int8"]
    assert controls(names) == {"slim+int8": ("slim+scratch+int8", "slim+scratch.long+int8")}
    assert controls(["slim.hard+scratch+qat", "slim+qat"]) == {}
    both = ["distill+slim+prune+qat", "distill+slim+scratch+prune+qat"]
    assert controls(both) == {both[0]: (both[1],)}
    assert controls(["slim+scratch+int8"]) == {}
