"""Publish: swap a finished run into `<artifacts>/<name>/` as a whole, and keep past reports."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import IntegrityError
from pipeline.fingerprint import digest
from pipeline.settings import LOGS
from pipeline.store import MANIFEST, Entry, sync

HISTORY = ".history"
STAMP = ".published.json"
PUBLISHED = ("export", "report")


def log_file(root: Path, name: str) -> Path:
    """Where the run under way writes its log: aside, since earlier results stay untouched."""
    return root / HISTORY / name / "run.log"


def load_report(path: Path) -> dict[str, Any]:
    """Read a `report.json`, or one of the history."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error
    return report


def publish(root: Path, name: str, entries: Mapping[str, Entry]) -> None:
    """Put the export's and the report's files into `<root>/<name>/`, unless they are there."""
    target, draft, old = root / name, root / f".new-{name}", root / f".old-{name}"
    stamp = digest([entries[stage].manifest["key"] for stage in PUBLISHED])
    if _is_published(target, stamp):
        return
    shutil.rmtree(draft, ignore_errors=True)
    for stage in PUBLISHED:
        ignored = shutil.ignore_patterns(MANIFEST, LOGS)
        shutil.copytree(entries[stage].folder, draft, ignore=ignored, dirs_exist_ok=True)
    shutil.copy(log_file(root, name), draft / "run.log")
    sizes = {
        path.relative_to(draft).as_posix(): path.stat().st_size
        for path in draft.rglob("*")
        if path.is_file()
    }
    (draft / STAMP).write_text(json.dumps({"stamp": stamp, "sizes": sizes}))
    report = load_report(draft / "report.json")
    (root / HISTORY / name / f"{report['id']}.json").write_bytes(
        (draft / "report.json").read_bytes()
    )
    for path in (*draft.rglob("*"), draft):
        sync(path)
    if target.exists():
        target.rename(old)
    draft.rename(target)
    sync(root)
    shutil.rmtree(old, ignore_errors=True)


def repair(root: Path, name: str) -> None:
    """Bring back the old results where a run was killed between the two renames of a swap."""
    target, old = root / name, root / f".old-{name}"
    if old.exists():
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(target)
    shutil.rmtree(root / f".new-{name}", ignore_errors=True)


def runs(root: Path) -> list[dict[str, Any]]:
    """Reports of every run whose results were published, oldest first."""
    found = [load_report(path) for path in root.glob(f"{HISTORY}/*/*.json")]
    return sorted(found, key=lambda report: str(report["created"]))


def _is_published(target: Path, stamp: str) -> bool:
    try:
        published = json.loads((target / STAMP).read_text())
        same = published["stamp"] == stamp
        return same and all(
            (target / name).stat().st_size == size for name, size in published["sizes"].items()
        )
    except (OSError, ValueError, KeyError):
        return False
