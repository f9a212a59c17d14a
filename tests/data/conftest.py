import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image


@pytest.fixture(scope="session")
def photo():
    """A real photo of a flower, 60 x 80, uint8 (H, W, 3)."""
    image = Image.fromarray(load_sample_image("flower.jpg"))
    return np.asarray(image.resize((80, 60), Image.Resampling.BOX))
