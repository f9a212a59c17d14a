"""Explain: for each step, cached or to be run, and what changed since it last ran."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.plan import Plan, Status
from pipeline.store import Entry

LISTED = 4


def explain(plan: Plan) -> list[tuple[str, str, str]]:
    """Say of every step: its id, "cached" or "run" or "waits", and why, in one line."""
    return [_explain(status, plan) for status in plan.survey()]


def _explain(status: Status, plan: Plan) -> tuple[str, str, str]:
    name = status.step.id
    if status.entry is not None:
        return name, "cached", status.entry.folder.name[:12]
    if status.identity is None:
        return (
            name,
            "waits",
            f"after {_listed(status.waits_for, ', ')}: only if they come out different",
        )
    earlier = list(plan.store.all(status.step.stage))
    same_step = [entry for entry in earlier if entry.manifest["step"] == name]
    if not earlier:
        return name, "run", "has not run before"
    reasons = min(
        (list(differences(status, entry, plan)) for entry in same_step or earlier),
        key=len,
    )
    return name, "run", _listed(reasons) if reasons else "its files are missing or were changed"


def differences(status: Status, entry: Entry, plan: Plan) -> Iterator[str]:
    """List what differs between what a step depends on now and what an earlier result did."""
    assert status.identity is not None
    before, now = entry.manifest, status.identity.facts
    for path, old, new in _changes(before["settings"], now["settings"]):
        yield f"{path}: {old} -> {new}"
    roles = before["inputs"].keys() | now["inputs"].keys()
    for role in sorted(roles):
        old_files, new_files = before["inputs"].get(role), now["inputs"].get(role)
        if old_files is None or new_files is None:
            yield f"{role} is {'no longer' if new_files is None else 'a new'} input"
        else:
            for path, _, _ in _changes(old_files, new_files):
                yield f"{role}: {path} is different"
    if before["outside"] != now["outside"]:
        files = plan.outside(status.step, status.identity.settings)
        yield from _outside(plan.store.outside(entry), dict(files))
    for module, old, new in _changes(before["code"], now["code"]):
        verb = "is new" if old is None else "is gone" if new is None else "was edited"
        yield f"code: {module} {verb}"
    for package, old, new in _changes(before["versions"], now["versions"]):
        yield f"{package} {old} -> {new}"


def _outside(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for path, old, new in _changes(before, now):
        verb = "added" if old is None else "removed" if new is None else "changed"
        yield f"file {verb}: {path}"


def _changes(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Walk two values down to the leaves that differ; a missing one is None."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield path, old, new


def _listed(items: Iterable[str], comma: str = "; ") -> str:
    shown = list(items)
    rest = f" and {len(shown) - LISTED} more" if len(shown) > LISTED else ""
    return comma.join(shown[:LISTED]) + rest
