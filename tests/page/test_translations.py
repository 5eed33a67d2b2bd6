"""Every text of the page has its Chinese twin, and the compiled catalogue is the one that was written."""

import json
import re
from pathlib import Path

import pytest
from django.template.loader import get_template
from django.utils import translation

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "config/locale/zh_Hans/LC_MESSAGES/django.po"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
TRANSLATE = re.compile(r"""\{%\s*translate\s+(["'])(.+?)\1""")


def _entries() -> dict[str, str]:
    text = CATALOGUE.read_text(encoding="utf-8")
    found = re.findall(r'^msgid "(.+)"\n(?:msgid_plural ".*"\n)?msgstr(?:\[0\])? "(.*)"$', text, re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_is_translated(path: Path) -> None:
    texts = {text for _quote, text in TRANSLATE.findall(path.read_text(encoding="utf-8"))}
    entries = _entries()
    assert not [text for text in texts if not entries.get(text.replace('"', '\\"'))]


def test_no_translation_is_missing_or_loses_a_place_for_a_value() -> None:
    entries = _entries()
    assert len(entries) > 100
    places = re.compile(r"\{\w+\}|%\(\w+\)s")
    wrong = [
        source
        for source, target in entries.items()
        if not target or set(places.findall(source)) != set(places.findall(target))
    ]
    assert not wrong


def test_the_compiled_catalogue_is_up_to_date() -> None:
    with translation.override("zh-hans"):
        stale = [
            source
            for source, target in _entries().items()
            if "%(" not in source and "\\" not in source and translation.gettext(source) != target
        ]
    assert not stale


def test_the_texts_for_scripts_are_json_in_both_languages() -> None:
    for language in ("en", "zh-hans"):
        with translation.override(language):
            html = get_template("sessions/talk_strings.html").render({})
        block = re.search(r"<script[^>]*>(.*)</script>", html, re.DOTALL)
        assert block is not None
        texts = json.loads(block[1])
        assert texts["state_speaking"].count("{name}") == 1
        assert all(texts.values())
