"""Writes about characters."""

import hashlib
import json
import re

from django.db import transaction

from characters.cast_file import CastFile, plain_text
from characters.models import Character, CharacterVersion
from voices.models import StylePreset, Voice
from voices.services import clip_request

# The only mention of a voice or style that no field of the sheet holds by itself.
_MARK = re.compile(r"\[(voice|style) ([a-z0-9_-]+)\]")


class CastMismatch(ValueError):
    """A cast file asks for a voice or style that the library does not have."""


@transaction.atomic
def character_load(*, cast: CastFile) -> tuple[Character, bool]:
    """Create or update the character of a cast file; answers whether a new version was made.

    Loading the same content again changes nothing. Raises `CastMismatch`.
    """
    voices, styles = _wanted(cast)
    sheet = cast.model_dump(mode="json")
    digest = hashlib.sha256(json.dumps(sheet, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    character, _new = Character.objects.select_for_update().get_or_create(slug=cast.slug)
    if character.current is not None and character.current.digest == digest:
        _request_sample(character.current, cast, voices, styles)
        return character, False
    last = character.versions.order_by("-number").values_list("number", flat=True).first() or 0
    version = CharacterVersion.objects.create(
        character=character,
        number=last + 1,
        digest=digest,
        sheet=sheet,
        voice=voices[cast.voice],
        style=styles[cast.style],
    )
    _request_sample(version, cast, voices, styles)
    _show(character, cast, version)
    return character, True


def _show(character: Character, cast: CastFile, version: CharacterVersion) -> None:
    character.name_en, character.name_zh = cast.name.en, cast.name.zh
    character.tagline_en, character.tagline_zh = cast.tagline.en, cast.tagline.zh
    character.about_en, character.about_zh = cast.about.en, cast.about.zh
    character.portrait, character.accent = cast.portrait, cast.accent
    character.tags, character.order = cast.tags, cast.order
    character.current = version
    character.save()


def _request_sample(
    version: CharacterVersion, cast: CastFile, voices: dict[str, Voice], styles: dict[str, StylePreset]
) -> None:
    """The voice or the mouth may have changed since: the clip's digest tells."""
    clip = clip_request(text=plain_text(cast.sample), voice=voices[cast.voice], style=styles[cast.style])
    if version.sample_id != clip.pk:
        version.sample = clip
        version.save(update_fields=["sample"])


def _wanted(cast: CastFile) -> tuple[dict[str, Voice], dict[str, StylePreset]]:
    """The rows of every voice and style the file names, by slug."""
    voice_slugs = {cast.voice, *(role.voice for role in cast.roles if role.voice)}
    style_slugs = {cast.style, *cast.styles, *(role.style for role in cast.roles if role.style)}
    for kind, slug in _MARK.findall(json.dumps(cast.model_dump(mode="json"))):
        (voice_slugs if kind == "voice" else style_slugs).add(slug)
    voices = {voice.slug: voice for voice in Voice.objects.filter(slug__in=voice_slugs)}
    styles = {style.slug: style for style in StylePreset.objects.filter(slug__in=style_slugs)}
    for kind, wanted, found in (("voice", voice_slugs, voices.keys()), ("style", style_slugs, styles.keys())):
        if missing := sorted(wanted - found):
            raise CastMismatch(f"{cast.slug}: voices/library.yaml has no {kind} {', '.join(missing)}")
    return voices, styles
