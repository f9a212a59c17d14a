"""Drafts: the folders stages write into before the store takes them, and what of them outlives a
stage that did not finish: its `checkpoints/`, which it can go on from, and `logs/` beside them.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.settings import CHECKPOINTS, LOGS

UNFINISHED = 4  # stages of a kind that did not finish whose checkpoints are kept


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, empty but for the checkpoints of an attempt before this one.

    At the end it is cleared again, unless it was renamed: nothing stays where there are none.
    """
    clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        clear(folder)


def clear(folder: Path) -> None:
    """Leave of a draft what its stage can go on from; nothing where it has no checkpoints."""
    if not (folder / CHECKPOINTS).is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.name in {CHECKPOINTS, LOGS}:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def unfinished(stage: Path) -> list[Path]:
    """Drafts with checkpoints in the folder of a stage, the last one first."""
    drafts = [path.parent for path in stage.glob(f".*/{CHECKPOINTS}")]
    return sorted(drafts, key=lambda draft: (draft / CHECKPOINTS).stat().st_mtime, reverse=True)
