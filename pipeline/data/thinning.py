"""Thinning: with a limit, most files of a large folder need not be decoded at all."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

from pipeline.data.sources import Catalog, Found, Label, Remark
from pipeline.settings import Ingest

MARGIN, SPARE = 1.25, 10  # more than the limit needs: splits are drawn, and some files are bad


def thinned(
    found: Iterable[Found | Remark], catalog: Catalog, settings: Ingest
) -> Iterator[Found | Remark]:
    """Yield enough pictures of each class and split for the limit, in their order.

    Of what the listing sets aside as large a share is kept, so that it weighs no more than before.

    Only files are chosen from, by a hash of seed and name, since to list them costs little; the
    limit itself is kept later, by the pixels.
    """
    pictures = iter(found)
    if settings.limit is None:
        yield from pictures
        return
    first: list[Found | Remark] = []
    for picture in pictures:
        first.append(picture)
        if isinstance(picture, Found):
            break
    if not first or not isinstance(first[-1], Found) or not isinstance(first[-1].content, str):
        yield from chain(first, pictures)
        return
    listed = [*first, *pictures]
    files = [item for item in listed if isinstance(item, Found)]
    kept = _chosen(files, settings, settings.limit)
    if len(kept) < len(files):
        note = f"{len(kept)} of {len(files)} files were looked at, and as large a share of others"
        catalog.noted.append(Remark("ingest.limit", note))
        catalog.count = len(kept)
    aside = [item.where for item in listed if isinstance(item, Remark)]
    kept |= set(_drawn(aside, len(kept) / len(files), settings.seed))
    yield from (item for item in listed if item.where in kept)


def _chosen(files: list[Found], settings: Ingest, limit: int) -> set[str]:
    """Names of the files that are enough."""
    groups: defaultdict[tuple[Label, str | None], list[str]] = defaultdict(list)
    for file in files:
        groups[file.label, file.split].append(file.where)
    given = {split for _, split in groups}
    training = sum(len(names) for (_, split), names in groups.items() if split in {None, "train"})
    validation = 1 / settings.folds if settings.folds else settings.validation
    training_share = (1.0 if "test" in given else 1 - settings.test) * (
        1.0 if "validation" in given else 1 - validation
    )
    share = min(1.0, MARGIN * limit / max(1.0, training * training_share))
    return {
        name for names in groups.values() for name in _drawn(names, share, settings.seed, SPARE)
    }


def _drawn(names: list[str], share: float, seed: int, spare: int = 0) -> list[str]:
    """Draw a share of some names, and a few more, by a hash of seed and name."""
    key = seed.to_bytes(8, "little")
    ordered = sorted(names, key=lambda name: hashlib.blake2b(name.encode(), key=key).digest())
    return ordered[: math.ceil(share * len(names)) + spare]
