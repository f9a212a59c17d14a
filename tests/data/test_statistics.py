import numpy as np
import pytest

from pipeline.data import statistics
from pipeline.data.statistics import channel_statistics


@pytest.fixture
def coloured(digits):
    """Digits with three channels of different contrast."""
    gray = digits[0].astype(np.float64)
    return np.concatenate([gray, 100 + gray / 4, 255 - gray], axis=-1).astype(np.uint8)


def test_mean_and_variance_are_those_of_numpy_in_float64(coloured):
    mean, variance = channel_statistics(coloured)
    assert mean.shape == variance.shape == (3,)
    np.testing.assert_allclose(mean, coloured.mean((0, 1, 2), dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(variance, coloured.var((0, 1, 2), dtype=np.float64), rtol=1e-11)


@pytest.mark.parametrize("chunk", [1, 7, 1796, 1797, 5000])
def test_the_size_of_the_pieces_changes_no_bit(coloured, chunk, monkeypatch):
    whole = channel_statistics(coloured)
    monkeypatch.setattr(statistics, "CHUNK", chunk)
    pieces = channel_statistics(coloured)
    assert np.array_equal(whole, pieces)


def test_a_mapped_file_has_the_statistics_of_its_array(coloured, tmp_path):
    np.save(tmp_path / "images.npy", coloured)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert np.array_equal(channel_statistics(mapped), channel_statistics(coloured))


@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_constant_channel_has_no_variance(value):
    mean, variance = channel_statistics(np.full((30, 7, 7, 1), value, np.uint8))
    assert mean.tolist() == [value]
    assert variance.tolist() == [0]
