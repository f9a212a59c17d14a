"""The report: one set of facts, written as html, Markdown, json and csv, and as a model card."""

from pathlib import Path

from pipeline.show.card import to_card
from pipeline.show.html import to_html
from pipeline.show.markdown import to_markdown
from pipeline.show.schema import Report
from pipeline.show.sheet import to_csv


def render(report: Report, figures_dir: Path, out: Path) -> None:
    """Write `report.html`, `.md`, `.json`, `.csv` and `model_card.md` into the folder `out`.

    The html holds the figures of `figures_dir` inside itself; the Markdown points at `figures/`
    beside it. The card is for who is handed the files.

    Raises:
        IntegrityError: a figure the report names is not in `figures_dir`.
    """
    texts = {
        "report.html": to_html(report, figures_dir),
        "report.md": to_markdown(report),
        "report.json": report.to_json(),
        "report.csv": to_csv(report),
        "model_card.md": to_card(report),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
