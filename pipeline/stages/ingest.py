"""Ingest: read a source once, set aside what is wrong, split it, and leave memory-mapped arrays."""

import logging
from pathlib import Path
from typing import Any

from pipeline.data import audit, files, source
from pipeline.data.collection import Collection
from pipeline.data.dataset import write_facts, write_split
from pipeline.data.decoding import Rules
from pipeline.data.intake import take_in
from pipeline.data.likeness import near
from pipeline.data.selection import Selection, compare, contradictions, select
from pipeline.data.sources import SPLITS, Catalog, Remark
from pipeline.data.thinning import thinned
from pipeline.errors import DataError
from pipeline.settings import Ingest, Inputs, Metrics

log = logging.getLogger("pipeline.ingest")


def check(settings: Ingest) -> None:
    """Fetch a source that has to be fetched; refuse one that is not there."""
    prepare = getattr(source(settings), "prepare", None)
    if prepare is not None:
        prepare()
    next(iter(files(settings)), None)


def run(settings: Ingest, inputs: Inputs, out: Path) -> Metrics:
    """Write `{train,validation,test}_{images,labels}.npy`, `dataset.json` and `audit.json`.

    Raises:
        DataError: too much was set aside, a picture stands in two given splits, or a class is too
            small to be in every split.
    """
    catalog = source(settings).catalog()
    require_two_classes(catalog)
    catalog.pictures = thinned(catalog.pictures, catalog, settings)
    rules = Rules.of(settings, files=not catalog.pixels, shape=catalog.shape)
    several = len(catalog.classes) if catalog.multi_label else None
    with Collection(out, several) as collection:
        aside = take_in(catalog, rules, collection)
        found = len(collection) + len(aside)
        selection = compare(collection)
        aside += contradictions(collection, selection, catalog.classes)
        for remark in aside:
            log.warning("set aside: %s: %s", remark.where, remark.reason)
        require_enough(catalog.name, found, aside, settings.max_bad_fraction)
        select(collection, selection, catalog.classes, settings)
        counts = write_splits(out, collection, selection)
        facts = {"found": found, "bad_fraction": len(aside) / found}
        audit.write(out, facts | examine(catalog, collection, selection, aside))
    known = {"name": catalog.name, "classes": catalog.classes, "shape": list(collection.shape)}
    write_facts(out, known | ({"multi_label": True} if catalog.multi_label else {}) | counts)
    return counts | {"quarantined": len(aside)}


def require_two_classes(catalog: Catalog) -> None:
    """Raise `DataError` where there is nothing to tell apart, before a picture is decoded."""
    if not catalog.classes:
        raise DataError(f"{catalog.name}: no picture in it")
    if len(catalog.classes) == 1:
        (only,) = catalog.classes
        raise DataError(f"{catalog.name}: one class only ({only}); two are needed to tell apart")


def require_enough(name: str, found: int, aside: list[Remark], most: float) -> None:
    """Raise `DataError` where more than a share of what was found was set aside."""
    if not found:
        raise DataError(f"{name}: no picture in it")
    if len(aside) == found:
        raise DataError(
            f"{name}: none of {found} pictures can be taken; the first: {aside[0].where}: "
            f"{aside[0].reason} (the run's log lists all)"
        )
    if len(aside) > most * found:
        raise DataError(
            f"{name}: {len(aside)} of {found} pictures were set aside, more than "
            f"ingest.max_bad_fraction {most:g}; the first: {aside[0].where}: {aside[0].reason} "
            f"(the run's log lists all)"
        )


def write_splits(out: Path, collection: Collection, selection: Selection) -> dict[str, int]:
    """Write the arrays of each split, and return how many pictures it has."""
    counts = {}
    for part, split in enumerate(SPLITS):
        rows = selection.rows(part)
        pictures = collection.pixels(rows.tolist())
        write_split(out, split, collection.labels[rows], collection.shape, pictures)
        counts[split] = len(rows)
    return counts


def examine(
    catalog: Catalog, collection: Collection, selection: Selection, aside: list[Remark]
) -> dict[str, Any]:
    """Put together what the audit says of the pictures themselves."""
    kept, parts = selection.kept, selection.parts
    by_class = audit.classes(collection, parts, catalog.classes)
    alike = near(collection, kept, selection.digests)
    labels = audit.labels_per_picture(collection, parts) if catalog.multi_label else None
    return {
        "imbalance": audit.imbalance(by_class),
        **({"labels_per_picture": labels} if labels else {}),
        "classes": by_class,
        "quarantined": audit.remarks(aside),
        "passed_over": audit.remarks(catalog.passed_over),
        "noted": audit.remarks(catalog.noted),
        "moved": selection.moved,
        "duplicates": audit.duplicates(
            collection, selection.copies, selection.across, selection.dropped
        ),
        "near_duplicates": audit.near_duplicates(collection, alike, parts),
        "conflicts": audit.conflicts(collection, selection.conflicts, catalog.classes),
        "sizes": audit.sizes(collection, kept),
        "brightness": audit.brightness(collection, kept),
    }
