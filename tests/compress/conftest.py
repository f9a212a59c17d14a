"""Real digits and shaken weights, for every test of the room."""

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """(images float32 (1797, 8, 8, 1) in 0..255, labels int64), in an order without writers"""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = np.rint(data.images[order][..., None] * (255 / 16)).astype("float32")
    return images, data.target[order]


@pytest.fixture
def shake():
    """Give every weight a value that training could give: no zeros, ones or equal channels."""
    rng = np.random.default_rng(3)

    def _shake(model):
        for weight in model.weights:
            if "variance" in weight.path:
                weight.assign(rng.uniform(0.3, 2.0, weight.shape))
            elif np.issubdtype(np.dtype(weight.dtype), np.floating):
                weight.assign(rng.normal(0.05, 0.3, weight.shape))
        for layer in model._flatten_layers():
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
        return model

    return _shake
