"""What was wrong with the pictures, and what was done about it: `dataset.audit` of a report."""

from pydantic import Field

from pipeline.show.records import Amount, Count, Record, Share


class Remark(Record):
    """One file, row or picture, and what there is to say of it."""

    where: str
    reason: str


class ClassAudit(Record):
    """One class: pictures in each split, and their brightness, 0..255."""

    name: str
    train: Count
    validation: Count
    test: Count
    brightness_mean: Amount
    brightness_sd: Amount


class Duplicates(Record):
    """Pictures that are there more than once, pixel by pixel as decoded.

    `extra` counts the copies beyond the first, `across_splits` the pictures that stood in two
    splits, `dropped` the copies that were left out. `examples` names a few groups.
    """

    groups: Count
    extra: Count
    across_splits: Count
    dropped: Count
    examples: tuple[tuple[str, ...], ...] = ()


class NearDuplicates(Record):
    """Pairs that look alike: gray thumbnails that differ by at most `rms` levels of 255.

    `complete` is false where so many were found that counting stopped.
    """

    pairs: Count
    across_splits: Count
    rms: Amount
    complete: bool
    examples: tuple[tuple[str, str], ...] = ()


class Conflict(Record):
    """One picture under several labels: all its copies were set aside."""

    where: tuple[str, ...]
    labels: tuple[str, ...]


class Spread(Record):
    """Smallest, middle and largest of something."""

    min: Amount
    median: Amount
    max: Amount


class Size(Record):
    """How many pictures came in this width and height, in pixels."""

    width: Count
    height: Count
    count: Count


class Sizes(Record):
    """Sizes before resizing; `most` lists the most frequent of the `distinct` ones."""

    width: Spread
    height: Spread
    distinct: Count
    most: tuple[Size, ...]


class Brightness(Record):
    """Mean gray level of each picture, 0..255: its spread, and counts in equal bins."""

    mean: Amount
    sd: Amount
    min: Amount
    max: Amount
    histogram: tuple[Count, ...]


class Audit(Record):
    """What ingest saw of the whole source; counts after everything was set aside or dropped.

    `imbalance` is the largest class by the smallest, `moved` lists classes so small that one of
    their pictures was moved to fill a split, `bad_fraction` is the share set aside. Where a picture
    may show several classes, `labels_per_picture` counts those with none, one, two and so on.
    """

    found: Count
    bad_fraction: Share
    imbalance: Amount
    labels_per_picture: tuple[Count, ...] | None = None
    classes: tuple[ClassAudit, ...]
    quarantined: tuple[Remark, ...] = ()
    passed_over: tuple[Remark, ...] = ()
    noted: tuple[Remark, ...] = ()
    moved: tuple[str, ...] = ()
    duplicates: Duplicates
    near_duplicates: NearDuplicates
    conflicts: tuple[Conflict, ...] = ()
    sizes: Sizes
    brightness: Brightness = Field(description="over all splits")
