import numpy as np
import pytest

from pipeline.compress.centroids import centroids


@pytest.fixture
def kernel():
    return np.random.default_rng(0).normal(size=(3, 3, 8, 16)).astype(np.float32)


def distance(kernel, values):
    return np.abs(kernel[..., None] - values).min(axis=-1)


def test_each_is_the_mean_of_the_weights_nearest_to_it(kernel):
    values = centroids(kernel, 8, seed=0)
    assert values.shape == (8,)
    assert values.dtype == np.float32
    nearest = np.abs(kernel[..., None] - values).argmin(axis=-1)
    means = [kernel[nearest == number].mean() for number in range(8)]
    assert np.allclose(values, means, atol=1e-5)
    even = np.linspace(kernel.min(), kernel.max(), 8)
    assert np.square(distance(kernel, values)).mean() < np.square(distance(kernel, even)).mean()


def test_the_seed_decides(kernel):
    assert np.array_equal(centroids(kernel, 16, 3), centroids(kernel, 16, 3))
    assert not np.array_equal(centroids(kernel, 16, 3), centroids(kernel, 16, 4))


def test_weights_that_lie_in_clusters_are_found():
    kernel = np.repeat([-3.0, 0.5, 0.75, 9.0], [5, 900, 20, 1]).reshape(2, -1)
    assert np.allclose(np.sort(centroids(kernel, 4, 1)), [-3, 0.5, 0.75, 9])


def test_zero_is_the_first_where_there_are_zeros(kernel):
    sparse = kernel * (np.abs(kernel) > 1.5)
    values = centroids(sparse, 5, 0)
    assert values[0] == 0
    assert not (values[1:] == 0).any()
    assert (values[1:] < 0).any()
    assert (values[1:] > 0).any()


def test_of_few_different_weights_the_last_is_repeated():
    assert centroids(np.zeros((3, 4)), 4, 0).tolist() == [0, 0, 0, 0]
    assert centroids(np.full((3, 4), 2.0), 3, 0).tolist() == [2, 2, 2]
    assert sorted(set(centroids(np.array([[0.0, 1.0, -1.0]]), 16, 0).tolist())) == [-1, 0, 1]
