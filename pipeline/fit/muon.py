"""Muon: momentum made orthogonal, for the kernels of convolutions as for those of dense layers."""

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import tensorflow as tf

# Of x -> a x + b x^3 + c x^5, which acts on singular values: as steep at zero as can be, and
# within about 0.7..1.2 after five steps, which serves as well as 1 (Jordan et al., 2024).
A, B, C = 3.4445, -4.7750, 2.0315
STEPS = 5
EPSILON = 1e-7
# In the path of a kernel whose channels share nothing, or that is no part of the network.
ADAMS = ("depthwise", "hint_projection")


def orthogonal(matrix: tf.Tensor) -> tf.Tensor:
    """Bring the singular values of a matrix near 1, by Newton-Schulz iteration; zeros stay."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix / (tf.norm(matrix) + EPSILON)
    for _ in range(STEPS):  # the square is of the shorter side; to transpose would cost as much
        square = tf.matmul(x, x, transpose_a=not wide, transpose_b=wide)
        factor = B * square + C * tf.matmul(square, square)
        x = A * x + (tf.matmul(factor, x) if wide else tf.matmul(x, factor))
    return x


class Muon:
    """An optimizer of a Keras API: kernels take orthogonal steps, everything else Adam's.

    The kernel of a convolution, `(kh, kw, cin, cout)`, is taken as a matrix `(kh kw cin, cout)`,
    also where it has groups; that of a dense layer as it is. (`keras.optimizers.Muon` takes the
    latter only, and leaves convolutions to Adam.) Adam's are biases and normalization; depthwise
    kernels, told by their name or their one column, whose channels share nothing that could be made
    orthogonal; the projections of hints, which are thrown away; and, of the kernels that learn, the
    `first` and the `last` unless asked for: the scales of pixels and of classes are no matter of
    choice.

    Of an orthogonal matrix of r rows and c columns the entries' root mean square is
    1 / sqrt(max(r, c)). Steps are scaled by `rms` sqrt(max(r, c)), so that theirs is `rms`, of the
    order of Adam's, in kernels of every shape: one learning rate and weight decay serve both (Liu
    et al., 2025, "Muon is Scalable for LLM Training", sect. 2.2; the original has sqrt(max(1,
    c / r)), and a rate of its own). Short trainings want several times Adam's rate.

    Source: Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks".
    """

    learning_rate: Any
    iterations: Any
    _var_key: Any
    add_variable_from_reference: Any

    def __init__(
        self,
        learning_rate: Any = 0.001,
        momentum: float = 0.95,
        rms: float = 0.2,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        first: bool = False,
        last: bool = False,
        **base: Any,
    ) -> None:
        if hasattr(self, "_build_learning_rate"):  # tf_keras: its base class takes no rate
            super().__init__(**{"name": "Muon"} | base)
            self._learning_rate = self._build_learning_rate(learning_rate)
        else:
            super().__init__(**{"learning_rate": learning_rate} | base)
        self.momentum, self.rms = momentum, rms
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.first, self.last = first, last

    def build(self, variables: Sequence[Any]) -> None:
        """Make a momentum for each variable, and for Adam's a velocity."""
        if hasattr(self, "momentums"):  # tf_keras calls at every step it traces
            return
        super().build(variables)  # type: ignore[misc]  # of the Keras class beside this one
        self.momentums = [self.add_variable_from_reference(v, "momentum") for v in variables]
        kernels = [number for number, v in enumerate(variables) if is_matrix(v)]
        chosen = kernels[not self.first : len(kernels) - (not self.last)]
        self.velocities = [
            None if number in chosen else self.add_variable_from_reference(v, "velocity")
            for number, v in enumerate(variables)
        ]
        self._places = {self._var_key(v): number for number, v in enumerate(variables)}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any = None) -> None:
        """Move one variable; tf_keras does not hand the rate over."""
        rate = tf.cast(self.learning_rate if learning_rate is None else learning_rate, tf.float32)
        place = self._places[self._var_key(variable)]
        momentum, velocity = self.momentums[place], self.velocities[place]
        if velocity is None:
            variable.assign_sub(rate * self._orthogonal_step(gradient, momentum))
        else:
            variable.assign_sub(rate * self._adam_step(gradient, momentum, velocity))

    def _orthogonal_step(self, gradient: Any, momentum: Any) -> tf.Tensor:
        momentum.assign(self.momentum * momentum + gradient)
        ahead = gradient + self.momentum * momentum  # Nesterov's
        matrix = tf.reshape(ahead, (-1, momentum.shape[-1]))
        scale = self.rms * max(matrix.shape) ** 0.5
        return tf.reshape(scale * orthogonal(matrix), momentum.shape)

    def _adam_step(self, gradient: Any, momentum: Any, velocity: Any) -> tf.Tensor:
        """As Keras' Adam, epsilon where it has it; Kingma and Ba, 2015, end of sect. 2."""
        momentum.assign_add((1 - self.beta_1) * (gradient - momentum))
        velocity.assign_add((1 - self.beta_2) * (tf.square(gradient) - velocity))
        step = tf.cast(self.iterations + 1, tf.float32)
        known = [1 - tf.pow(tf.constant(beta), step) for beta in (self.beta_1, self.beta_2)]
        return momentum * (tf.sqrt(known[1]) / known[0]) / (tf.sqrt(velocity) + EPSILON)

    def get_config(self) -> dict[str, Any]:
        """Arguments it can be made with again."""
        names = ("momentum", "rms", "beta_1", "beta_2", "first", "last")
        config: dict[str, Any] = super().get_config()  # type: ignore[misc]
        return config | {name: getattr(self, name) for name in names}


def is_matrix(variable: Any) -> bool:
    """Whether a variable is a kernel with several columns."""
    path = getattr(variable, "path", variable.name)
    apart = any(name in path for name in ADAMS)
    return len(variable.shape) in {2, 4} and variable.shape[-1] > 1 and not apart


@cache
def of(kind: type, api: ModuleType) -> Any:
    """The class of an optimizer like `Muon` for a Keras API: each insists on its own base class."""
    made = type(kind.__name__, (kind, api.optimizers.Optimizer), {})
    return api.saving.register_keras_serializable("pix2pocket")(made)
