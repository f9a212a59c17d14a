"""Pictures written in each form that a source reads, and ways to see what ingest makes of them."""

import csv
import gzip
import json
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data import source
from pipeline.data.collection import Collection
from pipeline.data.decoding import Rules
from pipeline.data.intake import take_in
from pipeline.data.selection import compare, select
from pipeline.data.sources import SPLITS, Found, Remark
from pipeline.data.splits import LEFT_OUT
from pipeline.settings import Ingest
from pipeline.stages import ingest


def write_npz(path, images, labels):
    np.savez(path, images=images, labels=labels)
    return path


def write_idx(path, array):
    head = struct.pack(f">I{array.ndim}I", 0x800 | array.ndim, *array.shape)
    content = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_folder(folder, images, labels, suffix="png", **how):
    """Write `<folder>/<label>/<row>.<suffix>` for pictures `(N, H, W, 1)` or `(N, H, W, 3)`."""
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / str(label) / f"{row:04}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(path, **how)
    return folder


def write_table(path, rows, columns=("path", "label"), delimiter=",", encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def settings(dataset, path=None, **said):
    return Ingest(dataset=dataset, path=path, **said)


def listed(dataset, path=None, **said):
    """What a source lists: its catalog, the pictures found, and the remarks between them."""
    catalog = source(settings(dataset, path, **said)).catalog()
    everything = list(catalog.pictures)
    found = [one for one in everything if isinstance(one, Found)]
    return catalog, found, {one.where: one.reason for one in everything if isinstance(one, Remark)}


def where_to(folder, dataset, path=None, **said):
    """The split that each picture of a source falls into, by where it is; None for left out."""
    wanted = settings(dataset, path, **said)
    catalog = source(wanted).catalog()
    rules = Rules.of(wanted, files=not catalog.pixels)
    with Collection(folder) as collection:
        take_in(catalog, rules, collection)
        selection = compare(collection)
        select(collection, selection, catalog.classes, wanted)
        names = [None if part == LEFT_OUT else SPLITS[part] for part in selection.parts]
        return dict(zip(collection.where, names, strict=True))


@dataclass
class Ingested:
    """A folder that ingest has left, and what stands in it."""

    folder: Path

    @cached_property
    def facts(self):
        return json.loads((self.folder / "dataset.json").read_bytes())

    @cached_property
    def audit(self):
        return json.loads((self.folder / "audit.json").read_bytes())

    def images(self, split):
        return np.load(self.folder / f"{split}_images.npy")

    def labels(self, split):
        return np.load(self.folder / f"{split}_labels.npy")

    @cached_property
    def pictures(self):
        """Every picture of each split with its class's name, as bytes, sorted."""
        names = self.facts["classes"]
        return {
            split: sorted(
                (image.tobytes(), names[label])
                for image, label in zip(self.images(split), self.labels(split), strict=True)
            )
            for split in SPLITS
        }


def ingested(out, dataset, path=None, **said):
    """Run the stage itself on a source."""
    out.mkdir(parents=True, exist_ok=True)
    ingest.run(settings(dataset, path, **said), {}, out)
    return Ingested(out)
