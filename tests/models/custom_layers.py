"""Lists of layers the tests share: one for each kind, form, normalization and activation."""

from typing import get_args

from models.blocks.kinds import ActivationKind, NormalizationKind
from models.custom.joins import KINDS
from models.custom.reading import read, shapes
from pipeline.recipe import parse

SHAPE = (8, 8, 1)
NORMALIZATIONS, ACTIVATIONS = get_args(NormalizationKind), get_args(ActivationKind)
LAYERS = parse(
    """
conv: [conv: 8]
conv 1x1: [conv: {channels: 8, kernel: 1}]
conv valid: [conv: {channels: 8, padding: valid}]
conv even: [conv: {channels: 8, kernel: 2, stride: 2}]
conv strided: [conv: {channels: 8, kernel: 5, stride: 2}]
conv dilated: [conv: {channels: 8, dilation: 2}]
conv grouped: [conv: {channels: 8, groups: 4}]
conv grouped strided: [conv: {channels: 16, groups: 2, stride: 2}]
conv grouped dilated: [conv: {channels: 8, groups: 8, dilation: 2, normalization: batch}]
conv penalized: [conv: {channels: 8, l1: 1e-4, l2: 1e-3}]
depthwise: [depthwise_conv: 3]
depthwise bare: [depthwise_conv]
depthwise strided: [depthwise_conv: {stride: 2, multiplier: 2, l2: 1e-3}]
depthwise dilated: [depthwise_conv: {dilation: 2, normalization: batch, activation: relu6}]
separable: [separable_conv: 12]
separable strided: [separable_conv: {channels: 12, stride: 2, l1: 1e-4}]
separable dilated: [separable_conv: {channels: 12, dilation: 2}]
transposed: [transposed_conv: 6]
transposed valid: [transposed_conv: {channels: 6, padding: valid, l2: 1e-3}]
transposed narrow: [transposed_conv: {channels: 6, kernel: 2, stride: 3, normalization: batch}]
max pool: [max_pool]
max pool overlapping: [max_pool: {size: 3, stride: 2, padding: valid}]
average pool: [average_pool: 2]
average pool overlapping: [average_pool: {size: 3, stride: 2}]
global max pool: [conv: {channels: 32, normalization: batch, activation: relu}, global_max_pool]
global average pool: [conv: {channels: 32, activation: relu}, global_average_pool]
upsample: [upsample]
upsample bilinear: [upsample: {factor: 3, interpolation: bilinear}]
flatten: [flatten]
dense: [flatten, dense: {units: 12, activation: relu, l1: 1e-4, l2: 1e-4}]
dropout: [dropout: 0.2]
spatial dropout: [spatial_dropout: 0.2]
add:
  - conv: {channels: 8, name: left}
  - conv: {channels: 8, stride: 2, from: images, name: right}
  - add: {of: [left, right], activation: relu}
multiply:
  - conv: {channels: 8, name: left}
  - conv: {channels: 8, activation: sigmoid, name: gate}
  - multiply: [left, gate]
concatenate:
  - conv: {channels: 8, name: left}
  - max_pool: {from: images, name: right}
  - concatenate: [left, right, stem]
concatenate features:
  - global_max_pool: {name: most}
  - conv: {channels: 8, from: stem}
  - global_average_pool: {name: mean}
  - concatenate: [most, mean]
group of 2: [normalization: {kind: group, groups: 2}]
""",
    "layers",
)
for kind in NORMALIZATIONS:
    LAYERS[f"{kind} normalization"] = [{"conv": {"channels": 8, "normalization": kind}}]
    LAYERS[f"{kind} alone"] = [{"normalization": kind}]
for kind in ("batch", "layer", "group"):
    LAYERS[f"{kind} of features"] = ["flatten", {"dense": {"units": 16, "normalization": kind}}]
for kind in ACTIVATIONS:
    LAYERS[kind] = [{"conv": {"channels": 8, "activation": kind}}]
    LAYERS[f"{kind} of features"] = ["flatten", {"dense": 16}, {"activation": kind}]

STEM = {
    "conv": {
        **{"channels": 8, "stride": 2, "normalization": "batch", "activation": "relu"},
        "name": "stem",
    }
}


def whole(name):
    """The list of a case behind a stem, which halves the pictures."""
    return [STEM, *LAYERS[name]]


def beside(names):
    """One list in which several cases stand side by side behind one stem."""
    layers, ends = [STEM], []
    for name in names:
        case = [_spelled_out(item, name) for item in LAYERS[name]]
        next(iter(case[0].values())).setdefault("from", "stem")
        if len(shapes(read(whole(name)), SHAPE)[-1]) == 3:
            case.append({"flatten": {}})
        ends.append(_label(name, "end"))
        next(iter(case[-1].values()))["name"] = ends[-1]
        layers += case
    return [*layers, {"concatenate": ends}]


def _spelled_out(item, case):
    """A layer with all its arguments by name, and names that only this case has."""
    kind, said = next(iter(item.items())) if isinstance(item, dict) else (item, {})
    said = dict(said) if isinstance(said, dict) else {KINDS[kind].main: said}
    for key in {"name", "from"} & set(said):
        said[key] = _label(case, said[key])
    if "of" in said:
        said["of"] = [_label(case, name) for name in said["of"]]
    return {kind: said}


def _label(case, name):
    return name if name in {"stem", "images"} else f"{name}-{case.replace(' ', '-')}"


MIXED = parse(
    """
kernels:
  - conv: {channels: 8, kernel: 5, stride: 2, normalization: batch, activation: relu}
  - conv: {channels: 8, dilation: 2, l1: 1e-4, l2: 1e-4}
  - conv: {channels: 8, groups: 4, normalization: batch, activation: relu}
  - depthwise_conv: {kernel: 3, dilation: 2, multiplier: 2}
  - separable_conv: {channels: 12, activation: relu}
  - transposed_conv: {channels: 8, kernel: 2, normalization: batch, activation: relu}
  - conv: {channels: 4, kernel: 1}
  - flatten
branches:
  - conv: {channels: 8, normalization: batch, activation: relu, name: stem}
  - conv: {channels: 8, activation: sigmoid, name: gate}
  - multiply: {of: [stem, gate], name: gated}
  - max_pool: {size: 3, stride: 2, name: most}
  - average_pool: {size: 2, from: gated, name: mean}
  - upsample: {factor: 2, interpolation: bilinear}
  - dropout: 0.1
  - conv: {channels: 16, stride: 2, name: deep}
  - concatenate: {of: [most, mean], name: wide}
  - add: {of: [wide, deep], activation: relu, name: sum}
  - spatial_dropout: 0.1
  - global_max_pool: {name: a}
  - global_average_pool: {from: sum, name: b}
  - upsample: {from: sum}
  - flatten: {name: c}
  - concatenate: [a, b, c]
  - dense: {units: 24, activation: relu, l1: 1e-4, l2: 1e-4}
normalizations:
  - conv: {channels: 8, stride: 2, normalization: instance, activation: relu}
  - conv: {channels: 8, normalization: group, activation: relu}
  - conv: {channels: 8, normalization: layer, activation: relu}
  - normalization: {kind: group, groups: 4}
  - normalization: batch
  - flatten
  - dense: {units: 16, normalization: layer, activation: relu}
  - normalization: group
activations:
  - conv: {channels: 8, stride: 2, normalization: batch, activation: elu}
  - conv: {channels: 8, activation: prelu}
  - conv: {channels: 8, activation: leaky_relu}
  - conv: {channels: 8, activation: tanh}
  - conv: {channels: 8, activation: relu6}
  - activation: sigmoid
  - flatten
  - dense: {units: 16, activation: elu}
  - activation: prelu
""",
    "networks",
)
