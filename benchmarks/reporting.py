"""What the report and its figures cost in a run of the default recipe.

    python benchmarks/reporting.py        one to two minutes

Runs the digits, whole, with a stopwatch in each function that draws a figure and in the one that
saves it. What the stages before it draw is added to all that the stage `report` takes, its own
figures, the sheets of pictures and the four formats. Writes `reporting.md` beside this file.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline import Config, run  # noqa: E402
from pipeline.show import figures  # noqa: E402

FLOOR = 10.0
REPORT = "report"


def watched(draw: Callable[..., Any], spent: Counter[str]) -> Callable[..., Any]:
    """The same function; the seconds it takes are added to those of the stage that calls it."""

    @wraps(draw)
    def timed(*args: Any, **kwargs: Any) -> Any:
        stage = sys._getframe(1).f_globals["__name__"].rpartition(".")[2]
        started = time.perf_counter()
        try:
            return draw(*args, **kwargs)
        finally:
            spent[stage] += time.perf_counter() - started

    return timed


def main() -> None:
    """Run, print and write the table."""
    spent: Counter[str] = Counter()
    for name in figures.__all__:
        setattr(figures, name, watched(getattr(figures, name), spent))
    with tempfile.TemporaryDirectory() as artifacts:
        done = run(Config.load(), artifacts=artifacts, quiet=True)
        assert done.report is not None
        shown, whole = len(done.report["figures"]), done.report["seconds"]
        pages = sum(path.stat().st_size for path in done.folder.glob("report.*"))
        report = done.entries[REPORT].manifest["seconds"]
    drawn = spent.pop(REPORT)
    assert drawn, "the figures were drawn past the stopwatch"
    total = report + sum(spent.values())
    lines = [
        f"`python benchmarks/reporting.py`, {len(os.sched_getaffinity(0))} cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}: seconds of a run of `configs/digits.yaml` "
        f"that go into its {shown} figures and its report, {pages / 1e6:.1f} MB in four formats. "
        f"The stages before the report took {whole:.0f} s.",
        "",
        "| what | seconds | floor | met |",
        "|---|--:|--:|---|",
        *(f"| figures of `{stage}` | {seconds:.2f} | | |" for stage, seconds in spent.items()),
        f"| `report`, whole | {report:.2f} | | |",
        f"| ... of which its figures | {drawn:.2f} | | |",
        f"| together | {total:.2f} | <= {FLOOR:.0f} | {'yes' if total <= FLOOR else '**no**'} |",
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "reporting.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
