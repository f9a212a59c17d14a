"""Is it really int8? What a .tflite file computes in, operation by operation, read from it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pipeline.measure import delegate
from pipeline.measure.arena import activations
from pipeline.measure.flatbuffer import FileFacts, facts_of, load
from pipeline.measure.forms import COMPUTES_NOTHING, FileForm, Form, file_form, forms
from pipeline.measure.tflite import Graph

FORMS = tuple(form for form in get_args(FileForm) if form not in {"mixed", "none"})
ENDINGS = {"qat": "int8"}  # endings of variants whose files are in a form of another name
MOST = 4  # operations that a line names
INTEGERS = {"int8", "int16x8"}  # forms a small file may not have: it has little to make integers of
FLEX = "Flex"  # how TensorFlow's own operations begin that LiteRT has not


@dataclass(frozen=True)
class Operation:
    """One operation, by its place in the order of execution, from 0.

    `given` and `gives` are the types of the activations it reads and writes, `weights` that of the
    largest constant it reads, with its `scales`: none, one, or one a channel. `xnnpack` says
    whether that library computes it on this machine, None where LiteRT cannot load the file.
    """

    number: int
    code: str
    custom: bool
    form: Form
    given: tuple[str, ...]
    gives: tuple[str, ...]
    weights: str | None
    scales: int
    xnnpack: bool | None


@dataclass(frozen=True)
class Audit:
    """What a file is: its form of numbers, its operations, its weights, and what it says of itself.

    `metadata`: names of what was put beside the network, with bytes. `subgraphs`: the first alone
    is looked at; others belong to loops and branches. `unloadable`: why LiteRT does not take it.
    """

    path: Path
    facts: FileFacts
    form: FileForm
    operations: tuple[Operation, ...]
    description: str
    metadata: dict[str, int]
    subgraphs: int
    unloadable: str | None

    @property
    def computing(self) -> tuple[Operation, ...]:
        """The operations that compute numbers of the network, all but mere conversions."""
        return tuple(one for one in self.operations if one.form not in COMPUTES_NOTHING)

    @property
    def per_channel(self) -> tuple[int, int]:
        """Of the kernels with scales: how many have one a channel, and how many there are."""
        scaled = [one for one in self.operations if one.weights and one.scales]
        return sum(one.scales > 1 for one in scaled), len(scaled)

    @property
    def delegated(self) -> tuple[int, int] | None:
        """How many computing operations XNNPACK takes, and how many there are."""
        taken = [one.xnnpack for one in self.computing]
        return None if None in taken else (sum(map(bool, taken)), len(taken))

    @property
    def zeros(self) -> float:
        """The share of weights that stand for zero, 0..1."""
        facts = self.facts
        return 1 - facts.nonzero_params / facts.params if facts.params else 0.0


def audit(path: Path) -> Audit:
    """Look through the .tflite file at `path`, whoever made it.

    Raises:
        IntegrityError: it cannot be read, is not a .tflite file, or is damaged.
    """
    blob, graph = load(path)
    found, living = forms(graph), activations(graph)
    taken = delegate.taken(path, graph)
    return Audit(
        path=path,
        facts=facts_of(path, blob, graph),
        form=file_form(graph, found),
        operations=tuple(
            _operation(graph, number, form, living, taken) for number, form in enumerate(found)
        ),
        description=graph.description,
        metadata={name: len(content) for name, content in graph.metadata.items()},
        subgraphs=graph.subgraphs,
        unloadable=taken if isinstance(taken, str) else None,
    )


def described(found: Audit, name: str) -> dict[str, Any]:
    """What the report says of the file of a variant; as `pipeline.show.files.Inside`."""
    said, facts = claimed(name), found.facts
    taken, (channels, scaled) = found.delegated, found.per_channel
    return {
        "form": found.form,
        "claimed": said,
        "computing": len(found.computing),
        "xnnpack": taken[0] if taken else None,
        "scaled": scaled,
        "per_channel": channels,
        "zeros": found.zeros,
        "inputs": [vars(port) for port in facts.inputs],
        "outputs": [vars(port) for port in facts.outputs],
        "metadata": found.metadata,
        "operations": [
            {key: part for key, part in vars(one).items() if key != "custom"}
            for one in found.operations
        ],
        "problems": list(problems(found, said if said in INTEGERS else None)),
    }


def _operation(
    graph: Graph, number: int, form: Form, living: set[int], taken: frozenset[int] | str
) -> Operation:
    operator, tensors = graph.operators[number], graph.tensors
    fixed = [tensors[i] for i in operator.inputs if i >= 0 and tensors[i].constant]
    largest = max(fixed, key=lambda tensor: tensor.elements, default=None)
    is_weights = largest is not None and len(largest.shape) > 0 and len(largest.scale) > 0
    is_weights = is_weights or (largest is not None and "float" in largest.dtype)
    return Operation(
        number=number,
        code=operator.code,
        custom=operator.custom,
        form=form,
        given=tuple(tensors[i].dtype for i in operator.inputs if i in living),
        gives=tuple(tensors[i].dtype for i in operator.outputs if i >= 0),
        weights=largest.dtype if largest is not None and is_weights else None,
        scales=len(largest.scale) if largest is not None and is_weights else 0,
        xnnpack=None if isinstance(taken, str) else number in taken,
    )


def claimed(name: str) -> str | None:
    """The form of numbers that a file's or a variant's name says it has; None if it says none.

    `prune+int8.tflite` says int8, so does `slim+qat`; the last word that is one counts.
    """
    words = re.split(r"[^A-Za-z0-9]+", name.lower().removesuffix(".tflite"))
    said = [ENDINGS.get(word, word) for word in words]
    return next((word for word in reversed(said) if word in FORMS), None)


def problems(found: Audit, form: str | None) -> Iterator[str]:
    """Say, a line each, why an app cannot rely on a file, or why it is not of a form.

    `form`: what the file is said to be, None where nothing is said.
    """
    flex = [one for one in found.operations if one.custom and one.code.startswith(FLEX)]
    if flex:
        yield f"{named(flex)}: TensorFlow's own, which needs its Flex delegate in the app"
    own = [one for one in found.operations if one.custom and one not in flex]
    if own:
        yield f"{named(own)}: none of LiteRT's operations; the app has to bring it along"
    if found.unloadable and not flex and not own:
        yield f"LiteRT does not load it: {found.unloadable}"
    if form is None or form == found.form:
        return
    wanted = {"float16": "float32"}.get(form, form)
    others: dict[Form, list[Operation]] = {}
    for one in found.computing:
        if one.form != wanted:
            others.setdefault(one.form, []).append(one)
    count = sum(map(len, others.values()))
    told = "; ".join(f"{MEANING[kind]}: {named(ones)}" for kind, ones in others.items())
    if told:
        yield f"said to be {form}, and {count} of {len(found.computing)} operations are not: {told}"
    else:
        yield f"said to be {form}, and is {found.form}"


MEANING: Mapping[Form, str] = {
    "int8": "in 8-bit integers",
    "int16x8": "with activations of 16 bits",
    "float32": "in float32",
    "dynamic": "in float32 with integer weights",
    "other": "in another form",
}


def named(operations: Sequence[Operation]) -> str:
    """Operations in a line, as `CONV_2D #1, #3, SOFTMAX #9`."""
    shown = operations[:MOST]
    words = [
        f"#{one.number}"
        if place and shown[place - 1].code == one.code
        else f"{one.code} #{one.number}"
        for place, one in enumerate(shown)
    ]
    more = len(operations) - len(shown)
    return ", ".join(words) + (f" and {more} more" if more else "")
