"""The sections of a recipe: what can be set, its type, range, unit and default.

A leaf: it imports no room, so every stage may name its own section in its signature. Sections are
frozen, refuse unknown keys, and hold values only, so that a stage's cache key can be read off them.
"""

from collections.abc import Mapping

from pipeline.settings.base import (
    AUDIT,
    CHECKPOINTS,
    LAYERS,
    LOGS,
    REFERENCE,
    SEEDS,
    THRESHOLD,
    Inputs,
    Metrics,
    Options,
    Section,
    Seed,
    Whole,
    nth,
)
from pipeline.settings.distilling import Distill
from pipeline.settings.pictures import (
    Augment,
    Ingest,
)
from pipeline.settings.results import (
    Benchmark,
    Evaluate,
    Export,
    Quantize,
    Report,
)
from pipeline.settings.scratch import Scratch
from pipeline.settings.searching import Search
from pipeline.settings.slimming import Slim, Target
from pipeline.settings.training import (
    Build,
    Fit,
    Phase,
    Train,
)
from pipeline.settings.transforms import (
    Cluster,
    Ensemble,
    Prune,
    Qat,
    Transform,
)

__all__ = [
    "AUDIT",
    "CHECKPOINTS",
    "LAYERS",
    "LOGS",
    "RECIPE_SECTIONS",
    "REFERENCE",
    "SECTIONS",
    "SEEDS",
    "THRESHOLD",
    "Augment",
    "Benchmark",
    "Build",
    "Cluster",
    "Distill",
    "Ensemble",
    "Evaluate",
    "Export",
    "Fit",
    "Ingest",
    "Inputs",
    "Metrics",
    "Options",
    "Phase",
    "Prune",
    "Qat",
    "Quantize",
    "Report",
    "Scratch",
    "Search",
    "Section",
    "Seed",
    "Slim",
    "Target",
    "Train",
    "Transform",
    "Whole",
    "nth",
]

SECTIONS: Mapping[str, type[Section]] = {
    "ingest": Ingest,
    "augment": Augment,
    "build": Build,
    "train": Train,
    "evaluate": Evaluate,
    "ensemble": Ensemble,
    "distill": Distill,
    "slim": Slim,
    "scratch": Scratch,
    "prune": Prune,
    "cluster": Cluster,
    "quantize": Quantize,
    "qat": Qat,
    "export": Export,
    "benchmark": Benchmark,
    "report": Report,
}
# What a recipe may hold: the stages' sections, and that of the phase before them.
RECIPE_SECTIONS: Mapping[str, type[Section]] = {**SECTIONS, "search": Search}
