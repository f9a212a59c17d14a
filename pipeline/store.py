"""The store: what stages leave, filed by the digest of all it depends on.

`<root>/<stage>/<key>/` is written under a temporary name, synced, and renamed when whole, its
`manifest.json` last. A folder that is there is therefore finished; one without a manifest, or
whose files are not as the manifest says, is not taken.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import drafts
from pipeline.errors import IntegrityError
from pipeline.fingerprint import digest, digest_lines, file_digest
from pipeline.graph import BY_NAME
from pipeline.settings import CHECKPOINTS, LOGS

MANIFEST = "manifest.json"
OUTSIDE = f"{LOGS}/outside.jsonl"


@dataclass(frozen=True)
class Entry:
    """A finished stage: its folder and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Digest of the files left: equal results have equal digests."""
        return str(self.manifest["digest"])

    @property
    def files(self) -> dict[str, str]:
        """Digests of the files that count, by relative path."""
        return _counted(self.manifest["files"])


class Store:
    """Finished stages under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, stage: str, key: str, verify: bool = False) -> Entry | None:
        """Return the entry of a key, or None where it is not there or not whole.

        Sizes and times are compared with the manifest; where only a time differs, as after a
        copy, the bytes decide.

        Args:
            verify: read every byte, and raise `IntegrityError` for a file that was changed.
        """
        folder = self.root / stage / key
        manifest = _manifest(folder)
        if manifest is None:
            return None
        for name, facts in manifest["files"].items():
            if not _is_as_said(folder / name, facts, verify):
                if verify:
                    raise IntegrityError(
                        f"{folder / name}: not as it was written; remove {folder} to make it again"
                    )
                return None
        return Entry(folder, manifest)

    def all(self, stage: str) -> Iterator[Entry]:
        """Every finished entry of a stage, last used first, without a look at its files."""
        folders = [path for path in (self.root / stage).glob("*") if not path.name.startswith(".")]
        known = [(folder, _manifest(folder)) for folder in folders]
        entries = [Entry(folder, manifest) for folder, manifest in known if manifest is not None]
        yield from sorted(entries, key=_last_used, reverse=True)

    def draft(self, stage: str, key: str) -> AbstractContextManager[Path]:
        """Give a folder to write into; it is removed unless `publish` has taken it, but for
        checkpoints to go on from.
        """
        return drafts.draft(self.root / stage / f".{key}")

    def note_outside(self, draft: Path, files: Iterable[tuple[str, str]]) -> str:
        """List the files outside that were read, and return the digest of the list.

        It is kept apart from the manifest, since it may be long and only `explain` asks for it.
        """
        (draft / OUTSIDE).parent.mkdir(exist_ok=True)
        with (draft / OUTSIDE).open("w") as lines:
            whole = digest_lines(files, lines)
        if not (draft / OUTSIDE).stat().st_size:
            (draft / OUTSIDE).unlink()
        return whole

    def publish(self, draft: Path, stage: str, key: str, facts: Mapping[str, Any]) -> Entry:
        """Make a draft an entry: list its files, write the manifest last, sync, rename."""
        shutil.rmtree(draft / CHECKPOINTS, ignore_errors=True)
        files = {
            path.relative_to(draft).as_posix(): _facts(path)
            for path in sorted(draft.rglob("*"))
            if path.is_file()
        }
        manifest = {
            "stage": stage,
            "key": key,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **facts,
            "files": files,
            "digest": digest(_counted(files)),
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1, allow_nan=False))
        for path in draft.rglob("*"):
            sync(path)
        sync(draft)
        folder = self.root / stage / key
        remove(folder)
        draft.rename(folder)
        sync(folder.parent)
        return Entry(folder, manifest)

    def outside(self, entry: Entry) -> dict[str, str]:
        """Digests of the files outside the project that an entry was made from."""
        try:
            with (entry.folder / OUTSIDE).open() as lines:
                return dict(map(json.loads, lines))
        except (OSError, ValueError):
            return {}

    def touch(self, entry: Entry) -> None:
        """Note that an entry was used now: `clean` keeps what was used last."""
        os.utime(entry.folder / MANIFEST)

    def sweep(self) -> None:
        """Remove what killed runs left: drafts, and entries half removed.

        Checkpoints stay, those of the last few stages that did not finish. The caller has seen to
        it that no other process is at work here.
        """
        for folder in self._folders():
            if folder.name.startswith("."):
                drafts.clear(folder)
            elif not (folder / MANIFEST).is_file():
                shutil.rmtree(folder, ignore_errors=True)
        for stage in BY_NAME:
            for folder in drafts.unfinished(self.root / stage)[drafts.UNFINISHED :]:
                shutil.rmtree(folder, ignore_errors=True)

    def clean(self, keep: int) -> tuple[int, int]:
        """Keep the entries last used, `keep` of each step; say how many went, and their bytes.

        Of the stages that did not finish, the checkpoints of as many are kept.
        """
        removed = size = 0
        for stage in BY_NAME:
            for folder in drafts.unfinished(self.root / stage)[keep:]:
                size += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                removed += 1
                shutil.rmtree(folder)
            kept: dict[str, int] = {}
            for entry in self.all(stage):
                step = entry.manifest["step"]
                kept[step] = kept.get(step, 0) + 1
                if kept[step] > keep:
                    size += sum(facts["bytes"] for facts in entry.manifest["files"].values())
                    removed += 1
                    remove(entry.folder)
        return removed, size

    def _folders(self) -> Iterator[Path]:
        """What lies in the stages' folders; no other is ours to touch, as in `~/.cache`."""
        for stage in BY_NAME:
            yield from (self.root / stage).glob("*")


def remove(folder: Path) -> None:
    """Remove an entry so that no half of it is ever taken for a whole: the manifest goes first."""
    if folder.exists():
        (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder)


def sync(path: Path) -> None:
    """Ask the system to have a file or folder on disk before anything that is written later."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and "files" in manifest else None


def _facts(path: Path) -> dict[str, Any]:
    stat = path.stat()
    return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": file_digest(path)}


def _counted(files: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Digests of the files that a result is known by: all but logs, which hold times."""
    return {
        name: facts["sha256"] for name, facts in files.items() if not name.startswith(f"{LOGS}/")
    }


def _is_as_said(path: Path, facts: Mapping[str, Any], verify: bool) -> bool:
    try:
        stat = path.stat()
        if stat.st_size != facts["bytes"]:
            return False
        if verify or stat.st_mtime_ns != facts["mtime_ns"]:
            return file_digest(path) == str(facts["sha256"])
    except OSError:
        return False
    return True


def _last_used(entry: Entry) -> float:
    try:
        return (entry.folder / MANIFEST).stat().st_mtime
    except OSError:  # a run beside us has just made it anew
        return 0.0
