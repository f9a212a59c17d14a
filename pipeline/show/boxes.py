"""Layers folded into the boxes of a diagram: a convolution with what normalizes and activates it.

A layer that only touches up what another made (normalization, activation, dropout, padding,
reshaping) goes into that one's box; where the other's output is used elsewhere too, into the box
of the layer it prepares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.show.network import Layer

_SHORT = {
    "BatchNormalization": "BN",
    "LayerNormalization": "LN",
    "GroupNormalization": "GN",
    "Rescaling": "scale",
    "Normalization": "normalize",
    "Multiply": "×",
    "Add": "+",
    "Subtract": "−",
    "Concatenate": "concat",
}
_UNSAID = {"ZeroPadding2D", "Reshape", "Cropping2D", "SpatialDropout2D"}


@dataclass(frozen=True)
class Box:
    """What one box says: `label` is `conv 3×3, 64`, `brief` is `3×3, 64`.

    `before` and `after` name what is in it besides, on either side; `kind` is input, convolution,
    depthwise, dense, pool, join or other; `output` the shape of what it gives.
    """

    kind: str
    label: str
    brief: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    output: tuple[int, ...]
    macs: int
    params: int

    @property
    def full(self) -> str:
        """Everything in it, in the order in which it runs."""
        return " · ".join([*self.before, self.label, *self.after])


def fold(layers: Sequence[Layer]) -> tuple[list[Box], list[tuple[int, int]]]:
    """Boxes in an order in which they can run, and the arrows between their places."""
    groups = _groups(layers)
    order = sorted(set(groups), key=lambda group: max(_members(groups, group)))
    place = {group: number for number, group in enumerate(order)}
    boxes = [_box([layers[row] for row in _members(groups, group)]) for group in order]
    arrows = {
        (place[groups[source]], place[groups[row]])
        for row, layer in enumerate(layers)
        for source in layer.inputs
        if groups[source] != groups[row]
    }
    return boxes, sorted(arrows)


def _members(groups: Sequence[int], group: int) -> list[int]:
    return [row for row, number in enumerate(groups) if number == group]


def _groups(layers: Sequence[Layer]) -> list[int]:
    """The number of each layer's box: that of the first layer in it."""
    users: list[set[int]] = [set() for _ in layers]
    for row, layer in enumerate(layers):
        for source in layer.inputs:
            users[source].add(row)
    groups: list[int] = []
    led: set[int] = set()  # boxes that hold a layer which is more than a touch
    for row, layer in enumerate(layers):
        minor, joins = _is_minor(layer), False
        if len(layer.inputs) == 1 and len(users[layer.inputs[0]]) == 1:
            source = layer.inputs[0]
            waits = groups[source] not in led
            joins = waits or (minor and not _prepares(layer, layers[source]))
        groups.append(groups[layer.inputs[0]] if joins else row)
        if not minor:
            led.add(groups[row])
    return groups


def _prepares(layer: Layer, before: Layer) -> bool:
    """Tell what is there for the sake of the layer that follows, not of the one before."""
    return "Padding" in layer.kind or ("Normalization" in layer.kind and len(before.inputs) > 1)


def _is_minor(layer: Layer) -> bool:
    scales = "UpSampling" in layer.kind or layer.kind == "Resizing"
    return len(layer.inputs) == 1 and layer.filters is None and _pool(layer) is None and not (
        layer.macs or scales or layer.kernel
    )  # fmt: skip


def _pool(layer: Layer) -> str | None:
    if "Pooling" not in layer.kind:
        return None
    how = "max" if "Max" in layer.kind else "average"
    return f"global {how} pool" if layer.kind.startswith("Global") else f"{how} pool"


def _box(layers: Sequence[Layer]) -> Box:
    head = next((layer for layer in layers if not _is_minor(layer)), layers[0])
    kind, label, brief = _named(head)
    at = layers.index(head)
    own = _nice(head.activation) if head.activation and not _is_minor(head) else ""
    before = [_touch(layer) for layer in layers[:at]]
    after = [own, *(_touch(layer) for layer in layers[at + 1 :])]
    return Box(
        kind=kind,
        label=label,
        brief=brief,
        before=tuple(dict.fromkeys(filter(None, before))),
        after=tuple(dict.fromkeys(filter(None, after))),
        output=layers[-1].output,
        macs=sum(layer.macs for layer in layers),
        params=sum(layer.params for layer in layers),
    )


def _named(layer: Layer) -> tuple[str, str, str]:
    """Kind, label and brief label of a box by its main layer."""
    if not layer.inputs:
        return "input", "input", "input"
    pool, form = _pool(layer), _form(layer)
    if pool:
        return "pool", f"{pool} {form}".strip(), f"{pool.split()[-2]} {form}".strip()
    if layer.filters is not None and layer.kernel is None:
        return "dense", f"dense {layer.filters}", str(layer.filters)
    if layer.kernel is not None:
        return _convolution(layer, form)
    name = _SHORT.get(layer.kind) or _touch(layer) or layer.kind.lower()
    return "join" if len(layer.inputs) > 1 else "other", name, name


def _convolution(layer: Layer, form: str) -> tuple[str, str, str]:
    if "Depthwise" in layer.kind:
        return "depthwise", f"depthwise {form}", f"dw {form}"
    words = {"Separable": "separable", "Transpose": "up-conv"}
    word = next((said for part, said in words.items() if part in layer.kind), "conv")
    many = f"{form}, {layer.filters}" if layer.filters else form
    return "convolution", f"{word} {many}", many if word == "conv" else f"{word[:3]} {many}"


def _form(layer: Layer) -> str:
    """Kernel, stride, dilation and groups as `3×3 /2`, `3×3 dilated 2`, `3×3 in 4 groups`."""
    if not layer.kernel:
        return ""
    parts = ["×".join(map(str, layer.kernel))]
    strides = layer.strides or ()
    if any(stride > 1 for stride in strides):
        parts.append("/" + "×".join(map(str, dict.fromkeys(strides))))
    if layer.dilation and max(layer.dilation) > 1:
        parts.append(f"dilated {max(layer.dilation)}")
    if layer.groups and layer.groups > 1 and "Depthwise" not in layer.kind:
        parts.append(f"in {layer.groups} groups")
    return " ".join(parts)


def _touch(layer: Layer) -> str:
    """What a layer inside another's box is called there; nothing for those that go unsaid."""
    if layer.kind in _UNSAID:
        return ""
    if layer.activation:
        return _nice(layer.activation)
    return _SHORT.get(layer.kind, _nice(layer.kind))


def _nice(name: str) -> str:
    return {"relu": "ReLU", "relu6": "ReLU6"}.get(
        name, name if name.endswith("LU") else name.lower()
    )
