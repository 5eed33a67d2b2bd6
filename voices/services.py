"""Writes about voices."""

import hashlib
import json
from datetime import timedelta

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from inference.errors import InferenceError
from voices.library import Library
from voices.models import Clip, StylePreset, Voice
from voices.rendering import calls_here, render_wav
from voices.selectors import compile_style, compile_voice

MAX_CLIP_ATTEMPTS = 5
SOFT_LIMIT_S = 100
HARD_LIMIT_S = 120
GONE_AFTER = timedelta(seconds=HARD_LIMIT_S + 30)
"""A clip that has been in work for so long was killed with its process."""

FIRST_WAIT = timedelta(seconds=30)
WAIT_GROWS = 4
CALLS_WAIT = timedelta(seconds=20)
"""A worker with calls makes nothing for later: the clip is looked at again after so long."""

QUEUED_AGAIN = timedelta(minutes=10)
"""A queue that was told of a clip has lost it when nobody has taken it up by then."""

BATCH = 200


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


def clip_render(*, clip_id: int) -> Clip.State | None:
    """Renders a due clip; returns its state afterwards, None when there is nothing to do about it now.

    A failure is tried again later; after `MAX_CLIP_ATTEMPTS`, or when trying again is no use, the clip is given up and
    says why.
    """
    if calls_here():
        Clip.objects.filter(pk=clip_id, state=Clip.State.PENDING).update(due_at=Now() + CALLS_WAIT, queued_at=None)
        return None
    clip = _claim(clip_id)
    if clip is None:
        return None
    mine = Clip.objects.filter(pk=clip.pk, attempts=clip.attempts, state=Clip.State.PENDING)
    try:
        wav, seconds = render_wav(clip.text, compile_voice(clip.voice), compile_style(clip.style))
    except Exception as error:
        hopeless = isinstance(error, InferenceError) and not error.retryable
        state = Clip.State.FAILED if hopeless or clip.attempts >= MAX_CLIP_ATTEMPTS else Clip.State.PENDING
        reason = f"{error.code}: {error}" if isinstance(error, InferenceError) else type(error).__name__
        wait = FIRST_WAIT * WAIT_GROWS ** (clip.attempts - 1)
        mine.update(state=state, error=reason[:200], due_at=Now() + wait, queued_at=None, updated_at=Now())
        return state
    clip.file.save(f"{clip.digest[:32]}.wav", ContentFile(wav), save=False)
    mine.update(state=Clip.State.READY, error="", seconds=seconds, file=clip.file.name, updated_at=Now())
    return Clip.State.READY


def clips_due(*, at_start: bool = False) -> list[int]:
    """Ids of clips a queue has to be told of, oldest first. `at_start`: also those that one was told of before."""
    due = Clip.objects.filter(state=Clip.State.PENDING, due_at__lte=Now())
    if not at_start:
        due = due.filter(Q(queued_at=None) | Q(queued_at__lt=timezone.now() - QUEUED_AGAIN))
    return list(due.order_by("created_at").values_list("id", flat=True)[:BATCH])


def clip_queued(*, clip_id: int) -> None:
    """A queue has been told."""
    Clip.objects.filter(pk=clip_id).update(queued_at=timezone.now())


def clips_again(*, clips: QuerySet[Clip]) -> int:
    """Have them rendered anew; returns how many."""
    return clips.update(state=Clip.State.PENDING, attempts=0, error="", due_at=Now(), queued_at=None)


def _claim(clip_id: int) -> Clip | None:
    """One UPDATE decides between two processes that were given the same clip."""
    due = Clip.objects.filter(pk=clip_id, state=Clip.State.PENDING, due_at__lte=Now())
    taken = due.filter(attempts__lt=MAX_CLIP_ATTEMPTS).update(
        attempts=F("attempts") + 1, due_at=Now() + GONE_AFTER, updated_at=Now()
    )
    if not taken:
        due.update(state=Clip.State.FAILED, error="the process that rendered it was killed", updated_at=Now())
        return None
    return Clip.objects.select_related("voice", "style").filter(pk=clip_id).first()
