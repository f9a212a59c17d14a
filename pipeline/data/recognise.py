"""Recognise: which row of `DATASETS` reads a path, told by what lies there."""

from pathlib import Path

from pipeline.data.sources.arrays import NAMES
from pipeline.data.sources.idx import PARTS
from pipeline.errors import ConfigError, DataError
from pipeline.settings import Ingest

TABLES = {".csv", ".tsv"}


def recognise(path: Path) -> tuple[Ingest, str]:
    """Give the settings that read a path, and the reason for the choice, in a few words.

    Raises:
        ConfigError: it is a file of another kind.
        DataError: there is nothing.
    """
    place = path.expanduser()
    if place.is_dir():
        dataset, reason = _of_folder(place)
    elif not place.exists():
        raise DataError(f"{path}: no such file or folder")
    elif place.suffix.lower() in TABLES:
        dataset, reason = "table", "a CSV file, whose rows name pictures and labels"
    elif place.suffix.lower() == ".npz":
        dataset, reason = "arrays", "an .npz file of arrays"
    else:
        raise ConfigError(
            f"{path}: expected a folder of pictures, a .csv or .tsv that names them, or an .npz"
        )
    return Ingest(dataset=dataset, path=path), reason


def _of_folder(folder: Path) -> tuple[str, str]:
    idx = f"{PARTS['train']}-images-idx3-ubyte"
    if any((folder / f"{idx}{end}").is_file() for end in ("", ".gz")):
        return "idx", f"a folder with {idx} in it"
    for choices in NAMES.values():
        for images, _ in choices:
            if (folder / f"{images}.npy").is_file():
                return "arrays", f"a folder with {images}.npy in it"
    return "folder", "a folder of pictures"


def instead(settings: Ingest) -> str:
    """Say what to try where a folder holds no classes: the tail of an error line, or nothing."""
    if settings.dataset != "folder" or settings.path is None:
        return ""
    beside = sorted(settings.path.expanduser().glob("*"))
    tables = [file.name for file in beside if file.suffix.lower() in TABLES]
    return f"; or give the table {settings.path / tables[0]}" if tables else ""
