"""When zeros are made: a pruning run's steps, planned before it starts (no TensorFlow here)."""

from dataclasses import dataclass
from itertools import count
from math import ceil, floor
from typing import Literal, Self

from pipeline.errors import ConfigError

Kind = Literal["polynomial", "constant"]

# A polynomial ramp in fewer updates cuts too much at once to recover; more than this many sort
# the weights for nothing. Constant sparsity is cut once, at its beginning.
FEWEST_UPDATES: dict[str, int] = {"polynomial": 8, "constant": 1}
MOST_UPDATES = 40


@dataclass(frozen=True)
class Ramp:
    """The training steps, counted from 1, at which masks are made anew; the last is `end_step`.

    tfmot acts only where `(step - begin_step) % frequency == 0`, so `over` chooses the three
    numbers such that the end step is one of those: otherwise the target is never reached.
    """

    kind: Kind
    sparsity: float
    initial_sparsity: float
    begin_step: int
    end_step: int
    frequency: int

    @classmethod
    def over(
        cls,
        steps: int,
        sparsity: float = 0.8,
        *,
        kind: Kind = "polynomial",
        initial_sparsity: float = 0.0,
        begin: float = 0.0,
        end: float = 0.6,
    ) -> Self:
        """Plan a run of `steps` training steps; `begin` and `end` are shares of it, 0..1.

        A polynomial ramp rises from `initial_sparsity` at `begin` to `sparsity` at `end`; a
        constant one holds `sparsity` from `begin` on and chooses its weights anew until `end`.
        What is left of the run after `end` fine-tunes with the zeros fixed.

        Raises:
            ConfigError: a share outside its range, or a run too short; says both step counts.
        """
        if kind not in FEWEST_UPDATES:
            raise ConfigError(f"pruning schedule {kind!r} is unknown: {', '.join(FEWEST_UPDATES)}")
        if not 0 < sparsity < 1:
            raise ConfigError(f"sparsity {sparsity} must lie between 0 and 1, both excluded")
        if not 0 <= initial_sparsity <= sparsity:
            raise ConfigError(f"initial sparsity {initial_sparsity} must lie in 0..{sparsity}")
        if begin < 0 or not begin + 0.01 <= end <= 1:
            raise ConfigError(f"pruning must begin before it ends: 0 <= {begin} < {end} <= 1")
        window = _window(steps, begin, end)
        if len(window) < FEWEST_UPDATES[kind]:
            needed = next(
                n for n in count(1) if len(_window(n, begin, end)) >= FEWEST_UPDATES[kind]
            )
            raise ConfigError(
                f"pruning needs at least {needed} training steps and this run has {steps}: "
                "more epochs, a smaller batch or a longer schedule"
            )
        span = len(window) - 1
        frequency = ceil(span / (MOST_UPDATES - 1)) if span else 1
        begin_step = window[-1] - frequency * (span // frequency)
        return cls(kind, sparsity, initial_sparsity, begin_step, window[-1], frequency)

    @classmethod
    def at_once(cls, sparsity: float) -> Self:
        """Plan what fits any run: all zeros in the first step, as tfmot makes those of m:n."""
        return cls("constant", sparsity, 0.0, 1, 1, 1)

    @property
    def updates(self) -> int:
        """How often masks are made anew."""
        return (self.end_step - self.begin_step) // self.frequency + 1

    @property
    def full_step(self) -> int:
        """The training step, counted from 1, from which on the whole sparsity is there."""
        return self.begin_step if self.kind == "constant" else self.end_step

    def first_full_epoch(self, steps_per_epoch: int) -> int:
        """The first epoch, counted from 0, whose end has every zero.

        Only this epoch and later ones may be kept as the best: earlier weights are denser.
        """
        return (self.full_step - 1) // steps_per_epoch


def _window(steps: int, begin: float, end: float) -> range:
    """The steps at which masks may change; tfmot counts the first batch as step 1."""
    return range(max(1, ceil(begin * steps)), floor(end * steps) + 1)
