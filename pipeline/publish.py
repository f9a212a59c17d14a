"""Publish: swap a finished run into `<artifacts>/<name>/` as a whole, and keep past reports."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, IntegrityError
from pipeline.fingerprint import digest
from pipeline.lazy import nearest
from pipeline.settings import LOGS
from pipeline.store import MANIFEST, Entry, sync

HISTORY = ".history"
STAMP = ".published.json"
SEARCH = "search"  # a folder in that of the results, which a run leaves as it is
SPACE = "space.json"  # in it: what it searches
NEW, OLD = ".pix2pocket-new-", ".pix2pocket-old-"  # beside a target while it is swapped
PUBLISHED = ("export", "report")
REPORT = "report.json"
LISTED = 5  # runs that a line names


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


def require_ours(root: Path, name: str) -> None:
    """Refuse to publish over something that no run has made: `--artifacts .` and `name: photos`."""
    target = root / name
    ours = target / STAMP, target / SEARCH / SPACE
    if (target / SEARCH).is_dir() and not any(path.is_file() for path in target.rglob("[!.]*")):
        return  # of a search that was cut short before it had begun
    if target.exists() and not any(path.is_file() for path in ours):
        raise ConfigError(
            f"{target}: is there already and is no run's result; give another name=, or --artifacts"
        )


def publish(root: Path, name: str, entries: Mapping[str, Entry]) -> None:
    """Put the export's and the report's files into `<root>/<name>/`, unless they are there."""
    manifests = [entries[stage].manifest for stage in PUBLISHED]
    stamp = digest([[manifest["key"], manifest["digest"]] for manifest in manifests])
    if _is_published(root / name, stamp):
        return
    require_ours(root, name)
    try:
        draft = _draft(root, name, entries, stamp)
        _remember(root / HISTORY / name, draft / "report.json")
        _swap(draft, root / name, root / f"{OLD}{name}")
    finally:
        repair(root)


def _draft(root: Path, name: str, entries: Mapping[str, Entry], stamp: str) -> Path:
    draft = root / f"{NEW}{name}"
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
    if (root / name / SEARCH).is_dir():
        shutil.copytree(root / name / SEARCH, draft / SEARCH)
    for path in (*draft.rglob("*"), draft):
        sync(path)
    return draft


def _remember(history: Path, report: Path) -> None:
    """Keep a copy of a report under its id; it is there whole or not at all."""
    draft = history / ".report.json"
    shutil.copy(report, draft)
    sync(draft)
    draft.rename(history / f"{load_report(report)['id']}.json")
    sync(history)


def _swap(draft: Path, target: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    draft.rename(target)
    sync(target.parent)


def repair(root: Path) -> None:
    """Bring back earlier results where a swap was cut off between its renames; clear the rest."""
    for old in root.glob(f"{OLD}*"):
        target = root / old.name.removeprefix(OLD)
        if not target.exists():
            old.rename(target)
    for left in (*root.glob(f"{OLD}*"), *root.glob(f"{NEW}*")):
        if left.is_symlink():
            left.unlink()
        else:
            shutil.rmtree(left, ignore_errors=True)


def runs(root: Path) -> list[dict[str, Any]]:
    """Reports of every run whose results were published, oldest first, but those `damaged`."""
    found = [one for one in _remembered(root) if not isinstance(one, IntegrityError)]
    return sorted(found, key=lambda report: str(report["created"]))


def damaged(root: Path) -> list[str]:
    """What is wrong with each report of the history that cannot be read, a line each."""
    return sorted(str(one) for one in _remembered(root) if isinstance(one, IntegrityError))


def _remembered(root: Path) -> Iterator[dict[str, Any] | IntegrityError]:
    for path in root.glob(f"{HISTORY}/*/[!.]*.json"):
        try:
            report = load_report(path)
        except IntegrityError as error:
            yield error
            continue
        known = isinstance(report, dict) and {"id", "name", "created"} <= set(report)
        yield report if known else IntegrityError(f"{path}: is no report")


def find_run(root: Path, said: str) -> dict[str, Any]:
    """The report of a run: by its id or the beginning of one, by its name, or by a path.

    A name stands for what lies published under it, and where nothing does, for its latest run. A
    path is that of a `report.json`, or of the folder that holds one.

    Raises:
        ConfigError: there is no such run, or several begin so.
        IntegrityError: its report cannot be read.
    """
    path = Path(said)
    for file in (path, path / REPORT, root / said / REPORT):
        if file.is_file():
            return load_report(file)
    past = runs(root)
    if named := [report for report in past if report["name"] == said]:
        return named[-1]
    known = {str(report["id"]): report for report in past}
    found = [name for name in known if name.startswith(said)]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise ConfigError(f"{said}: {len(found)} runs begin so: {', '.join(found[:LISTED])}")
    near = nearest(said, dict.fromkeys([*(str(report["name"]) for report in past), *known]))
    raise ConfigError(
        f"{said}: no run in {root}; see `show runs`" + (f" ({near})" if known else "")
    )


def _is_published(target: Path, stamp: str) -> bool:
    try:
        published = json.loads((target / STAMP).read_text())
        same = published["stamp"] == stamp
        return same and all(
            (target / name).stat().st_size == size for name, size in published["sizes"].items()
        )
    except (OSError, ValueError, KeyError):
        return False
