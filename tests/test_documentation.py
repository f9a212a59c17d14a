"""What is written down is what there is."""

import re
from pathlib import Path

from models import MODELS
from models.custom.joins import KINDS
from pipeline.reference import layers_page, settings_page
from pipeline.settings import RECIPE_SECTIONS

ROOT = Path(__file__).parent.parent


def test_the_page_of_settings_is_current():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings_page(), "run: python run_pipeline.py show settings > docs/settings.md"


def test_every_setting_says_what_it_means():
    for name, section in RECIPE_SECTIONS.items():
        for key in set(section.model_fields) - section.given:
            assert f"| `{name}.{key}` |" in settings_page()


def test_the_page_of_layers_is_current():
    page = (ROOT / "docs" / "layers.md").read_text()
    assert page == layers_page(), "run: python run_pipeline.py show layers > docs/layers.md"


def test_every_layer_and_argument_says_what_it_means():
    for kind, schema in KINDS.items():
        assert f"\n## {kind}\n" in layers_page()
        assert all(field.description for field in schema.model_fields.values()), kind


def test_every_network_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert [name for name in MODELS if f"`{name}`" not in readme] == []


def test_what_pages_point_at_is_there():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
