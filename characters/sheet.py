"""The stored sheet of a version, read again as a `CastFile`, and what pages and sessions want of it."""

from functools import lru_cache
from typing import TypedDict

from django.utils.translation import get_language

from characters.cast_file import CastFile
from characters.models import CharacterVersion
from voices.models import StylePreset


class ActivityEntry(TypedDict):
    slug: str
    title: str
    kind: str


@lru_cache(maxsize=64)
def _sheet(version_id: int) -> CastFile:
    # A version never changes once stored, so its id is enough of a key.
    return CastFile.model_validate(CharacterVersion.objects.get(id=version_id).sheet)


def sheet_of(version: CharacterVersion) -> CastFile:
    return _sheet(version.pk)


def activities_of(version: CharacterVersion) -> list[ActivityEntry]:
    """Stories, songs, lessons, scenes and chats, with titles in the language of the page."""
    chinese = (get_language() or "").startswith("zh")
    return [
        {"slug": each.slug, "title": (each.title.zh if chinese else "") or each.title.en, "kind": each.kind}
        for each in sheet_of(version).activities
    ]


def styles_of(version: CharacterVersion) -> list[StylePreset]:
    """The presets on its talk page, in the sheet's order; the character's own style comes first."""
    wanted = list(dict.fromkeys([version.style.slug, *sheet_of(version).styles]))
    found = {preset.slug: preset for preset in StylePreset.objects.filter(slug__in=wanted)}
    return [found[slug] for slug in wanted if slug in found]
