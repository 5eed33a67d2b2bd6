"""Writes about voices."""

import hashlib
import json

from django.core.files.base import ContentFile
from django.db import transaction

from inference.errors import InferenceError
from voices.library import Library
from voices.models import Clip, StylePreset, Voice
from voices.rendering import render_wav
from voices.selectors import compile_style, compile_voice

MAX_CLIP_ATTEMPTS = 3


@transaction.atomic
def library_load(*, library: Library) -> tuple[int, int]:
    """Bring rows in line with the file; answers how many were new and how many differed. Rows of others stay."""
    created = changed = 0
    for entry in library.voices:
        fields = entry.model_dump(exclude={"slug", "title", "description"}) | {
            "title_en": entry.title.en,
            "title_zh": entry.title.zh,
            "description_en": entry.description.en,
            "description_zh": entry.description.zh,
        }
        new, different = _upsert(Voice, entry.slug, fields)
        created, changed = created + new, changed + different
    for style in library.styles:
        fields = style.model_dump(exclude={"slug", "title"}) | {"title_en": style.title.en, "title_zh": style.title.zh}
        new, different = _upsert(StylePreset, style.slug, fields)
        created, changed = created + new, changed + different
    return created, changed


def _upsert(model: type[Voice] | type[StylePreset], slug: str, fields: dict[str, object]) -> tuple[bool, bool]:
    """Whether the row was new, whether it differed."""
    row, new = model.objects.get_or_create(slug=slug, defaults=fields)
    differing = [name for name, value in fields.items() if getattr(row, name) != value]
    if new or not differing:
        return new, False
    for name in differing:
        setattr(row, name, fields[name])
    row.save(update_fields=differing)
    return False, True


def clip_request(*, text: str, voice: Voice, style: StylePreset) -> Clip:
    """The clip of this line in this voice and style, made to be rendered if there is none yet."""
    sound = [text, repr(compile_voice(voice)), repr(compile_style(style))]
    digest = hashlib.sha256(json.dumps(sound).encode()).hexdigest()
    clip, _new = Clip.objects.get_or_create(digest=digest, defaults={"text": text, "voice": voice, "style": style})
    return clip


def clip_render(*, clip_id: int) -> Clip.State:
    """Render a pending clip; idempotent. After `MAX_CLIP_ATTEMPTS` failures it is given up and says why."""
    clip = Clip.objects.select_related("voice", "style").get(id=clip_id)
    if clip.state != Clip.State.PENDING:
        return Clip.State(clip.state)
    clip.attempts += 1
    try:
        wav, clip.seconds = render_wav(clip.text, compile_voice(clip.voice), compile_style(clip.style))
    except InferenceError as error:
        clip.error = f"{error.code}: {error}"[:200]
        if clip.attempts >= MAX_CLIP_ATTEMPTS or not error.retryable:
            clip.state = Clip.State.FAILED
        clip.save(update_fields=["state", "attempts", "error", "updated_at"])
        return Clip.State(clip.state)
    clip.file.save(f"{clip.digest[:32]}.wav", ContentFile(wav), save=False)
    clip.state, clip.error = Clip.State.READY, ""
    clip.save()
    return Clip.State.READY
