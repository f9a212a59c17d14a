"""Intake: every picture of a source, decoded into a collection or set aside with the reason."""

import re
from collections.abc import Iterator

from pipeline.data.collection import Collection
from pipeline.data.decoding import Decoded, Rules
from pipeline.data.sources import Catalog, Found, Remark
from pipeline.data.workers import Outcome, decoded, decoded_here
from pipeline.progress import bar

OTHERS = re.compile(
    r"\.(txt|md|rst|log|csv|tsv|jsonl?|xml|ya?ml|toml|ini|cfg|html?|pdf|docx?|xlsx?|py|ipynb|sh|db"
    r"|sqlite|zip|gz|tar|np[yz]|pkl|h5|mp[34]|mov|avi|mkv|webm|wav)$",
    re.IGNORECASE,
)


def take_in(catalog: Catalog, rules: Rules, collection: Collection) -> list[Remark]:
    """Decode all pictures into `collection`, and return those that were set aside.

    A file that no decoder knows and that is not named as a picture is passed over, not set aside.
    """
    aside: list[Remark] = []

    def sound() -> Iterator[Found]:
        for found in catalog.pictures:
            if isinstance(found, Remark):
                aside.append(found)
            else:
                yield found

    decode_all = decoded_here if catalog.pixels else decoded
    with bar() as shown:
        task = shown.add_task("reading pictures", total=catalog.count, note="")
        for found, outcome in decode_all(sound(), rules):
            _file(found, outcome, catalog, collection, aside)
            shown.update(task, advance=1, note=_note(aside))
    return aside


def _file(
    found: Found,
    outcome: Outcome,
    catalog: Catalog,
    collection: Collection,
    aside: list[Remark],
) -> None:
    if isinstance(outcome, Decoded):
        collection.add(found, outcome)
        catalog.noted += [Remark(found.where, note) for note in outcome.notes]
    elif not catalog.listed and named_otherwise(found):
        catalog.passed_over.append(Remark(found.where, "no picture, nor named as one"))
    else:
        aside.append(Remark(found.where, outcome))


def named_otherwise(found: Found) -> bool:
    """Tell files named as something else, which are passed over unless they are pictures."""
    return isinstance(found.content, str) and OTHERS.search(found.content) is not None


def _note(aside: list[Remark]) -> str:
    return f"{len(aside)} set aside" if aside else ""
