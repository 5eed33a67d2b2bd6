import asyncio
import math
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from django.core.exceptions import ValidationError
from django.utils import timezone

from inference.client import connect
from inference.protocol import Lane, SessionSpec, VoiceSpec
from inference.training.export import made_styles
from inference.training.voices import SHIPPED as SPEAKERS
from inference.worker.bundled_voice import BUNDLED
from inference.worker.echo import EchoLane
from inference.worker.embedded import start_worker, stop_worker
from inference.worker.phone_voice import MadeStyle, PhoneVoice
from inference.worker.speaker_book import SpeakerBook
from voices.library import LibraryError, read_library
from voices.models import Clip, StylePreset, Voice
from voices.selectors import UnknownVoice, style_spec, voice_spec
from voices.services import MAX_CLIP_ATTEMPTS, clip_render, clip_request, clips_again, clips_due, library_load


@pytest.mark.django_db
def test_every_voice_and_style_of_the_library_is_one_a_worker_accepts() -> None:
    library_load(library=read_library())
    assert Voice.objects.count() >= 20
    for voice in Voice.objects.all():
        assert voice_spec(voice.slug).slug == voice.slug
    for preset in StylePreset.objects.all():
        assert style_spec(preset.slug).slug == preset.slug


@pytest.mark.django_db
def test_loading_twice_changes_nothing_and_a_changed_entry_is_brought_in_line() -> None:
    library = read_library()
    created, _ = library_load(library=library)
    assert created == len(library.voices) + len(library.styles)
    assert library_load(library=library) == (0, 0)
    Voice.objects.filter(slug=library.voices[0].slug).update(pitch_hz=333)
    assert library_load(library=library) == (0, 1)
    assert voice_spec(library.voices[0].slug).pitch_hz == library.voices[0].pitch_hz


@pytest.mark.django_db
def test_a_timbre_reaches_the_worker_and_is_checked_where_people_write_it() -> None:
    library_load(library=read_library())
    voice = Voice.objects.get(slug="hearth")
    assert voice_spec("hearth").timbre == voice.timbre != ""
    for timbre in ("slt", "slt:2 alto:1", "slt:0.5 alto", ""):
        voice.timbre = timbre
        voice.full_clean()
    for timbre in ("slt alto:", "slt:-1", "SLT", "slt,alto"):
        voice.timbre = timbre
        with pytest.raises(ValidationError, match="speakers and their shares"):
            voice.full_clean()


def test_english_voices_are_made_of_all_the_bundled_speakers_each_in_its_own_way() -> None:
    english = [entry for entry in read_library().voices if entry.language.startswith("en")]
    assert all(entry.timbre for entry in english)
    assert {part.split(":")[0] for entry in english for part in entry.timbre.split()} == set(SPEAKERS)
    assert len({entry.timbre for entry in english}) >= 20


@pytest.mark.skipif(not BUNDLED.is_dir(), reason="no bundled checkpoint in this checkout")
def test_every_english_voice_is_near_the_pitch_its_timbre_has_by_itself() -> None:
    book = SpeakerBook.load(BUNDLED)
    assert set(book.names) == set(SPEAKERS)
    for entry in read_library().voices:
        if entry.language.startswith("en"):
            own_hz = book.pitch_hz(VoiceSpec(entry.slug, timbre=entry.timbre))
            assert abs(12 * math.log2(entry.pitch_hz / own_hz)) <= 4.0, entry.slug


@pytest.mark.parametrize(
    ("style", "model_style"),
    [
        ("neutral", "neutral"),
        ("warm", "neutral"),
        ("cheerful", "cheerful"),
        ("sad", "sad"),
        ("angry", "angry"),
        ("whisper", "whisper"),
        ("slower", "slow"),
        ("sleepy", "slow"),
        ("faster", "fast"),
        ("robotic", "neutral"),
    ],
)
@pytest.mark.django_db
def test_styles_of_the_library_are_made_from_the_models_own(style: str, model_style: str) -> None:
    library_load(library=read_library())
    made = {name: MadeStyle(**numbers) for name, numbers in made_styles().items()}
    voice = PhoneVoice(VoiceSpec(), torch.zeros(256), 120.0, made)
    assert voice.model_style(style_spec(style)) == model_style


@pytest.mark.django_db
def test_an_unknown_voice_or_style_is_named() -> None:
    with pytest.raises(UnknownVoice, match="nobody"):
        voice_spec("nobody")
    with pytest.raises(UnknownVoice, match="nohow"):
        style_spec("nohow")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("voices: []", "styles"),
        ("voices: [", "library.yaml"),
        ("voices: [{slug: a, title: {en: A}, pitch_hz: 9}]\nstyles: []", "pitch_hz"),
        ("voices: [{slug: a, title: {en: A}, timbre: 'slt:'}]\nstyles: []", "timbre"),
        ("voices: [{slug: a, title: {en: A}, timbre: 'slt, alto'}]\nstyles: []", "timbre"),
        ("voices: [{slug: a, title: {en: A}}, {slug: a, title: {en: B}}]\nstyles: []", "stands there twice"),
        ("voices: [{slug: a, title: {en: A}, colour: red}]\nstyles: []", "colour"),
    ],
)
def test_a_mistake_in_the_library_is_reported_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "library.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LibraryError, match=complaint):
        read_library(path)


@pytest.mark.django_db
def test_a_clip_that_no_worker_can_render_is_tried_again_and_then_given_up_with_the_reason() -> None:
    library_load(library=read_library())
    voice, style = Voice.objects.earliest("pk"), StylePreset.objects.earliest("pk")
    clip = clip_request(text="Hello there.", voice=voice, style=style)
    assert clip_request(text="Hello there.", voice=voice, style=style) == clip
    for attempt in range(1, MAX_CLIP_ATTEMPTS + 1):
        state = clip_render(clip_id=clip.pk)
        assert state == (Clip.State.FAILED if attempt == MAX_CLIP_ATTEMPTS else Clip.State.PENDING)
        assert clip_render(clip_id=clip.pk) is None, "it is not due again yet"
        Clip.objects.filter(pk=clip.pk).update(due_at=timezone.now() - timedelta(minutes=1))
    clip.refresh_from_db()
    assert clip.error.startswith("worker_unavailable")
    assert clips_due() == []
    clips_again(clips=Clip.objects.filter(pk=clip.pk))
    assert clips_due() == [clip.pk]


@pytest.mark.django_db
def test_a_clip_whose_process_is_killed_every_time_is_given_up() -> None:
    library_load(library=read_library())
    voice, style = Voice.objects.earliest("pk"), StylePreset.objects.earliest("pk")
    clip = clip_request(text="Hello there.", voice=voice, style=style)
    past = timezone.now() - timedelta(minutes=1)
    Clip.objects.filter(pk=clip.pk).update(attempts=MAX_CLIP_ATTEMPTS, due_at=past)
    assert clip_render(clip_id=clip.pk) is None
    clip.refresh_from_db()
    assert (clip.state, clip.error) == (Clip.State.FAILED, "the process that rendered it was killed")


@pytest.mark.django_db(transaction=True)
def test_a_clip_waits_for_the_calls_of_the_worker_that_would_render_it() -> None:
    library_load(library=read_library())
    voice, style = Voice.objects.earliest("pk"), StylePreset.objects.earliest("pk")
    clip = clip_request(text="Hello there.", voice=voice, style=style)
    worker = start_worker({Lane.ECHO: EchoLane()})
    try:
        asyncio.run(_render_during_a_call(clip.pk))
    finally:
        stop_worker(worker)
    clip.refresh_from_db()
    assert (clip.state, clip.attempts) == (Clip.State.PENDING, 0) and clip.due_at > timezone.now()


async def _render_during_a_call(clip_id: int) -> None:
    call = await connect().open(SessionSpec(session_id="call", character="parrot@1", lane=Lane.ECHO))
    try:
        assert await asyncio.to_thread(clip_render, clip_id=clip_id) is None
    finally:
        await call.close()
