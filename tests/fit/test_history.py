import math

from pipeline.fit.history import best_epoch, joined, read_history, write_history


def test_curves_come_back_bit_for_bit(tmp_path):
    history = {
        "accuracy": [0.1, 1 / 3, 1.0],
        "loss": [2.302585092994046, 1e-300, math.pi],
        "val_loss": [0.0, 5e-324, 1.7976931348623157e308],
    }
    write_history(tmp_path, history)
    assert read_history(tmp_path) == history
    assert list(read_history(tmp_path)) == list(history)


def test_equal_curves_are_equal_bytes_and_count_epochs_from_one(tmp_path):
    write_history(tmp_path, {"loss": [0.5, 0.25]})
    assert (tmp_path / "history.csv").read_bytes() == b"epoch,loss\r\n1,0.5\r\n2,0.25\r\n"


def test_the_best_epoch_is_the_one_whose_weights_are_kept():
    history = {"val_accuracy": [0.5, 0.9, 0.9, 0.8], "val_loss": [0.1, 0.4, 0.3, 0.2]}
    assert best_epoch(history) == 3
    assert best_epoch({"val_accuracy": [0.9, 0.9], "val_loss": [float("nan"), 2.0]}) == 2
    assert best_epoch({"val_accuracy": [0.9, 0.9], "val_loss": [0.2, 0.2]}) == 1


def test_curves_of_several_fits_are_numbered_and_those_of_one_are_not():
    one, two = {"loss": [2.0, 1.0]}, {"loss": [0.5]}
    assert joined([one], "round") == one
    assert joined([one, two], "round") == {"loss": [2.0, 1.0, 0.5], "round": [1.0, 1.0, 2.0]}
