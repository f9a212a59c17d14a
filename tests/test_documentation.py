"""What is written down is what there is."""

from pathlib import Path

from pipeline.reference import settings_page
from pipeline.settings import SECTIONS

ROOT = Path(__file__).parent.parent


def test_the_page_of_settings_is_current():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings_page(), "run: python run_pipeline.py show settings > docs/settings.md"


def test_every_setting_says_what_it_means():
    for name, section in SECTIONS.items():
        for key in set(section.model_fields) - section.given:
            assert f"| `{name}.{key}` |" in settings_page()
