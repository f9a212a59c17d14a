"""Folder: pictures in a folder for each class, perhaps under train, validation and test."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.data.sources import Catalog, Found, Remark
from pipeline.data.sources.places import place, printable, require_folder
from pipeline.data.sources.walk import File, folders, walk
from pipeline.errors import ConfigError, DataError
from pipeline.lazy import nearest
from pipeline.settings import Ingest

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


class Folder:
    """A folder with a subfolder a class, named as the class; or train, validation, test above them.

    A class's pictures may lie deeper in its folder. What a file is, is told by its content.
    """

    def __init__(self, settings: Ingest) -> None:
        if settings.path is None:
            raise ConfigError("ingest.path: folder needs the path of a folder of pictures")
        self.root = place(settings.path)
        self.wanted = settings.classes and tuple(map(printable, settings.classes))

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name every file below the folder that is not hidden."""
        self._require()
        for found in walk(self.root):
            if isinstance(found, File):  # its name as it is: two may look the same in print
                yield "/".join(found.parts), Path(found.path)

    def catalog(self) -> Catalog:
        """List its pictures, sorted by path; labels are the numbers of the classes, sorted."""
        self._require()
        splits = self._splits()
        if not splits and not folders(self.root):
            raise DataError(
                f"{self.root}: no folders in it; expected one of pictures for each class, "
                f"or train, validation and test with such folders in them"
            )
        named = self._named(splits)
        catalog = Catalog(
            printable(self.root.resolve().name), self._classes(named, splits), (), self._count()
        )
        catalog.noted = [
            Remark(name, f"{len(spelled)} ways to spell it in Unicode, taken as one class")
            for name, spelled in named.items()
            if len(spelled) > 1
        ]
        catalog.pictures = self._pictures(catalog, splits)
        return catalog

    def _require(self) -> None:
        require_folder(self.root, "ingest.path names a folder of pictures")

    def _count(self) -> int:
        return sum(isinstance(found, File) for found in walk(self.root))

    def _splits(self) -> dict[str, str]:
        """Map folders to the splits they are named after; none where they are classes."""
        found = folders(self.root)
        named = {name: SPLIT_NAMES[name.lower()] for name in found if name.lower() in SPLIT_NAMES}
        given = list(named.values())
        if "train" not in given or (len(given) < 2 and len(found) > 1):
            return {}
        twice = [split for split in given if given.count(split) > 1]
        if twice:
            names = ", ".join(name for name in named if named[name] == twice[0])
            raise DataError(f"{self.root}: {names}: two folders for the {twice[0]} split")
        return named

    def _named(self, splits: dict[str, str]) -> dict[str, set[str]]:
        """Names of the class folders as they can be printed, each with how it is spelled."""
        named: dict[str, set[str]] = {}
        parents: list[tuple[str, ...]] = [(split,) for split in splits]
        for below in parents or [()]:
            for name in folders(self.root, below):
                named.setdefault(printable(name), set()).add(name)
        return named

    def _classes(self, named: dict[str, set[str]], splits: dict[str, str]) -> list[str]:
        if not named:
            raise DataError(f"{self.root}: no class folders in {', '.join(splits)}")
        for name in self.wanted or ():
            if name not in named:
                raise DataError(
                    f"{self.root}: no folder of class {name!r} (ingest.classes): "
                    f"{nearest(name, named)}"
                )
        return list(self.wanted or sorted(named))

    def _pictures(self, catalog: Catalog, splits: dict[str, str]) -> Iterator[Found | Remark]:
        numbers = {name: number for number, name in enumerate(catalog.classes)}
        depth = 1 if splits else 0  # of the class's folder
        for found in walk(self.root):
            if isinstance(found, Remark):
                yield found
            elif splits and found.parts[0] not in splits:
                catalog.passed_over.append(Remark(found.where, "beside the folders of the splits"))
            elif len(found.parts) < depth + 2:
                catalog.passed_over.append(Remark(found.where, "in no class's folder"))
            elif (name := printable(found.parts[depth])) not in numbers:
                catalog.passed_over.append(Remark(found.where, "its class is not wanted"))
            else:
                split = splits[found.parts[0]] if splits else None
                yield Found(found.where, numbers[name], found.path, split)
