"""Audit: what was wrong with a set of pictures, and what was done about it, as plain facts.

The form of these facts is `pipeline.show.audit.Audit`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.collection import Collection
from pipeline.data.likeness import RMS, Near
from pipeline.data.several import named, showing
from pipeline.data.sources import SPLITS, Remark
from pipeline.data.splits import Parts
from pipeline.settings import AUDIT

EXAMPLES = 20  # groups and pairs that are named
MOST = 200  # sizes that are listed
BINS = 32


def write(folder: Path, audit: dict[str, Any]) -> None:
    """Write `audit.json`."""
    text = json.dumps(audit, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / AUDIT).write_text(text, encoding="utf-8")


def remarks(said: Sequence[Remark]) -> list[dict[str, str]]:
    """Remarks as plain facts, in the order in which people list files."""
    ordered = sorted(said, key=lambda remark: remark.where)
    return [{"where": remark.where, "reason": remark.reason} for remark in ordered]


def classes(collection: Collection, parts: Parts, names: Sequence[str]) -> list[dict[str, Any]]:
    """Each class with its pictures in each split, and how bright they are."""
    labels, brightness = collection.labels, collection.brightness
    rows = []
    for number, name in enumerate(names):
        inside = showing(labels, number) & (parts >= 0)
        counts = np.bincount(parts[inside], minlength=len(SPLITS)).tolist()
        rows.append(
            {
                "name": name,
                **dict(zip(SPLITS, counts, strict=True)),
                "brightness_mean": _rounded(brightness[inside].mean()),
                "brightness_sd": _rounded(brightness[inside].std()),
            }
        )
    return rows


def labels_per_picture(collection: Collection, parts: Parts) -> list[int]:
    """How many pictures show no class, one, two and so on, for labels `(N, classes)`."""
    shown = collection.labels[parts >= 0].sum(axis=1, dtype=np.int64)
    counts: list[int] = np.bincount(shown).tolist()
    return counts


def imbalance(rows: Sequence[dict[str, Any]]) -> float:
    """Pictures of the largest class for one of the smallest."""
    totals: list[int] = [sum(row[split] for split in SPLITS) for row in rows]
    return max(totals) / min(totals)


def duplicates(
    collection: Collection, groups: list[list[int]], across: int, dropped: int
) -> dict[str, Any]:
    """Pictures that are there more than once."""
    return {
        "groups": len(groups),
        "extra": sum(len(group) - 1 for group in groups),
        "across_splits": across,
        "dropped": dropped,
        "examples": [
            [collection.where[row] for row in group[:EXAMPLES]] for group in groups[:EXAMPLES]
        ],
    }


def conflicts(
    collection: Collection, groups: list[list[int]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Pictures under several labels, with each."""
    labels = collection.labels
    return [
        {
            "where": [collection.where[row] for row in group],
            "labels": [named(labels[row], names) for row in group],
        }
        for group in groups
    ]


def near_duplicates(collection: Collection, near: Near, parts: Parts) -> dict[str, Any]:
    """Pairs that look alike; those across splits are named first."""
    across = [pair for pair in near.pairs if parts[pair[0]] != parts[pair[1]]]
    within = [pair for pair in near.pairs if parts[pair[0]] == parts[pair[1]]]
    named = (across + within)[:EXAMPLES]
    return {
        "pairs": len(near.pairs),
        "across_splits": len(across),
        "rms": RMS,
        "complete": near.complete,
        "examples": [[collection.where[row] for row in pair] for pair in named],
    }


def sizes(collection: Collection, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Widths and heights before resizing."""
    found = collection.sizes[rows]
    counted = Counter(map(tuple, found.tolist()))
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    return {
        "width": _spread(found[:, 0]),
        "height": _spread(found[:, 1]),
        "distinct": len(counted),
        "most": [
            {"width": width, "height": height, "count": count} for (width, height), count in most
        ],
    }


def brightness(collection: Collection, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Mean gray level of each picture."""
    found = collection.brightness[rows]
    counts, _ = np.histogram(found, bins=BINS, range=(0, 256))
    return {
        "mean": _rounded(found.mean()),
        "sd": _rounded(found.std()),
        "min": _rounded(found.min()),
        "max": _rounded(found.max()),
        "histogram": counts.tolist(),
    }


def _spread(values: NDArray[np.int64]) -> dict[str, float]:
    return {
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }


def _rounded(value: Any) -> float:
    return round(float(value), 3)
