"""The kernels of a Keras 3 model, by the names of their layers."""

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.compress.kernels import leaves


def kernels(model: keras.Model) -> dict[str, NDArray[np.floating]]:
    """Return every kernel in its Keras layout, in the order of the layers.

    A name is its layer's, inside a nested model `backbone/conv1`; a layer with several, as
    SeparableConv2D, has `separable/pointwise_kernel`. A shared layer stands once.
    """
    found: dict[str, NDArray[np.floating]] = {}
    seen: set[int] = set()
    for name, layer in leaves(model):
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        own = [one for one in layer.weights if one.name.endswith("kernel") and one.ndim > 1]
        for weight in own:
            found[name if len(own) == 1 else f"{name}/{weight.name}"] = np.asarray(weight)
    return found
