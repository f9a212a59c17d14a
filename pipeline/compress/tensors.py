"""Which layer of a Keras model a tensor of its .tflite file comes from, by its name."""

from collections.abc import Callable

import keras

from pipeline.compress.kernels import leaves

_ANSWER = "StatefulPartitionedCall"


def layers_behind(model: keras.Model) -> Callable[[str], str]:
    """A function from names of tensors to names of layers, inside nested models `backbone/conv1`.

    The converter names a tensor by the scopes of all that was folded into its operation, as
    `net_1/re_lu_1/Relu;net_1/conv2d_3_1/convolution`, and export puts a number of its own behind
    each layer's name. Of several layers the one with a kernel counts. What the network gives has a
    name of the converter's own, and is of the last layer; any other goes by the end of its name.
    """
    known = {name.rpartition("/")[2]: name for name, _ in leaves(model)}
    kernels = {
        name.rpartition("/")[2]
        for name, layer in leaves(model)
        if any("kernel" in weight.name for weight in layer.weights)
    }

    last = list(leaves(model))[-1][0]

    def behind(tensor: str) -> str:
        words = [word for scope in tensor.split(";") for word in scope.split("/")]
        found = [layer for word in words if (layer := _layer(word, known)) is not None]
        best = next((layer for layer in found if layer in kernels), found[0] if found else None)
        if best is not None:
            return known[best]
        return last if tensor.startswith(_ANSWER) else tensor.partition(";")[0].rpartition("/")[2]

    return behind


def _layer(word: str, known: dict[str, str]) -> str | None:
    """The layer that a scope is of: its name, and behind it the one number that export puts there.

    `conv2d_1` is of `conv2d`, though a layer may be called `conv2d_1`: its own is `conv2d_1_2`.
    """
    stem, line, number = word.rpartition("_")
    if line and number.isdigit() and stem in known:
        return stem
    return word if word in known else None
