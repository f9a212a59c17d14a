"""Sets of tensorflow-datasets: any with pictures and class labels, from disk or downloaded."""

import difflib
import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.data.sources import Catalog
from pipeline.data.sources.tfds_reading import (
    image_and_label,
    one_line,
    pictures,
    quiet,
    splits_to_read,
)
from pipeline.errors import ConfigError, DataError, ResourceError
from pipeline.lazy import nearest
from pipeline.progress import say
from pipeline.settings import Ingest

NAME = re.compile(
    r"tfds:(?P<name>[a-z]\w*)(/(?P<config>[\w+.-]+))?(:(?P<version>(\d+|\*)(\.(\d+|\*)){2}))?"
)
VERSION = re.compile(r"\d+\.\d+\.\d+")
INFO = "dataset_info.json"  # written when all else of a set is


class Tfds:
    """The set that `dataset: tfds:NAME[/CONFIG][:VERSION]` names, as it lies in `data_dir`.

    The highest version on disk is read unless the name says which; `prepare` fetches a set that is
    not there. Source: https://www.tensorflow.org/datasets
    """

    def __init__(self, settings: Ingest) -> None:
        parts = NAME.fullmatch(settings.dataset)
        if parts is None:
            raise ConfigError(
                f"ingest.dataset: {settings.dataset!r} is not of the form tfds:NAME, "
                f"tfds:NAME/CONFIG or tfds:NAME/CONFIG:1.0.0, the name in small letters"
            )
        if settings.path is not None:
            raise ConfigError("ingest.path: tfds takes none; ingest.data_dir says where sets lie")
        self.dataset = settings.dataset
        self.name, self.config, self.version = parts["name"], parts["config"], parts["version"]
        self.data_dir = (settings.data_dir or _usual_data_dir()).expanduser()
        self.classes = list(settings.classes or ())

    def files(self) -> Iterator[tuple[str, Path]]:
        """List the files of the prepared set, found without an import; none before `prepare`."""
        folder = self._folder()
        for path in sorted(folder.rglob("*")) if folder else ():
            if path.is_file():
                yield path.relative_to(self.data_dir).as_posix(), path

    def prepare(self) -> Path:
        """Give the set's folder; where it is not on disk yet, download and write it first.

        Raises:
            DataError: the name is unknown, or tensorflow-datasets cannot prepare it.
            ResourceError: the disk is full.
        """
        folder = self._folder()
        if folder is not None:
            return folder
        with quiet():
            import tensorflow_datasets as tfds

            tfds.disable_progress_bar()
            self._require_known()
            builder = self._builder(self.dataset.removeprefix("tfds:"))
            say(f"  {self.dataset}: tensorflow-datasets prepares it in {builder.data_dir}")
            try:
                builder.download_and_prepare()
            except Exception as error:  # whatever its transport or the set's own code raises
                raise self._not_prepared(error, builder) from error
        folder = self._folder()
        if folder is None:
            raise DataError(f"{builder.data_dir}: has no {INFO}, so is no whole set; remove it")
        return folder

    def catalog(self) -> Catalog:
        """Open the prepared set and list its pictures, encoded as they are, split by split."""
        builder = self._open()
        info = builder.info
        image, label = keys = image_and_label(info)
        shape = info.features[image].shape
        splits, passed_over = splits_to_read(info)
        names = list(info.features[label].names)
        if self.classes and len(self.classes) != len(names):
            raise DataError(
                f"{self.dataset}: has {len(names)} classes, ingest.classes names "
                f"{len(self.classes)}"
            )
        return Catalog(
            name=self.name,
            classes=self.classes or names,
            pictures=pictures(builder, keys, splits, passed_over),
            count=sum(info.splits[split].num_examples for split in splits),
            shape=None if None in shape else shape,
            passed_over=passed_over,
        )

    def _folder(self) -> Path | None:
        """Find the folder of the highest prepared version that the name allows."""
        top = self.data_dir / self.name
        config = self.config or _usual_config(top)
        wanted = re.escape(self.version).replace(r"\*", r"\d+") if self.version else VERSION.pattern
        found = {
            tuple(map(int, info.parent.name.split("."))): info.parent
            for info in (top / config if config else top).glob(f"*/{INFO}")
            if VERSION.fullmatch(info.parent.name) and re.fullmatch(wanted, info.parent.name)
        }
        return found[max(found)] if found else None

    def _open(self) -> Any:
        """Make the builder that reads the very folder whose files are listed."""
        folder = self.prepare()
        path = folder.parent.relative_to(self.data_dir).as_posix()
        with quiet():
            return self._builder(f"{path}:{folder.name}")

    def _builder(self, name: str) -> Any:
        import tensorflow_datasets as tfds

        try:
            return tfds.builder(name, data_dir=str(self.data_dir))
        except Exception as error:  # a damaged file, a version, what a builder's own code raises
            raise DataError(f"{self.dataset} in {self.data_dir}: {one_line(error)}") from error

    def _require_known(self) -> None:
        """Raise `DataError` for a set or a config that tensorflow-datasets cannot make."""
        import tensorflow_datasets as tfds

        known = tfds.list_builders(with_community_datasets=False)
        if self.name not in known:
            lies = sorted((self.data_dir / self.name).glob(f"**/{INFO}"))
            held = ", ".join(path.parent.relative_to(self.data_dir).as_posix() for path in lies)
            close = difflib.get_close_matches(self.name, known, n=3) if not held else ()
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise DataError(
                f"{self.dataset}: tensorflow-datasets knows no such set, and {self.data_dir} holds "
                f"{held or 'none of the name'}{hint}"
            )
        configs = tfds.builder_cls(self.name).builder_configs
        if self.config and self.config not in configs:
            raise DataError(f"{self.dataset}: no such config: {nearest(self.config, configs)}")

    def _not_prepared(self, error: Exception, builder: Any) -> DataError | ResourceError:
        """Say in one line why a set could not be prepared, and how to mend that."""
        reason = f"{self.dataset}: cannot be prepared in {self.data_dir}: {one_line(error)}"
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if full or "Not enough disk space" in str(error):
            return ResourceError(reason)
        if isinstance(error, ImportError):
            return DataError(f"{reason}; install what it needs")
        if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            return DataError(f"{reason}; its files have to be fetched by hand")
        return DataError(
            f"{reason}; without a network, ingest.data_dir takes a folder prepared elsewhere"
        )


def _usual_data_dir() -> Path:
    """Where tensorflow-datasets keeps its sets, by the rule it goes by."""
    return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets"))


def _usual_config(top: Path) -> str | None:
    """Name the config meant where none is said; it is noted beside a set that has some."""
    note = top / ".config" / "metadata.json"
    try:
        config: str | None = json.loads(note.read_text("utf-8")).get("default_config_name")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{note}: cannot be read ({one_line(error)}); name a config") from error
    return config
