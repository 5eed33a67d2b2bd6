"""Reads about voices."""

from django.db.models import QuerySet

from inference.protocol import StyleSpec, VoiceSpec
from voices.models import StylePreset, Voice


class UnknownVoice(LookupError):
    """No voice or style preset of this name."""


def voice_list() -> QuerySet[Voice]:
    return Voice.objects.order_by("slug")


def voice_spec(slug: str) -> VoiceSpec:
    """The voice as a worker wants it. Raises `UnknownVoice`."""
    voice = Voice.objects.filter(slug=slug).first()
    if voice is None:
        raise UnknownVoice(f"there is no voice {slug!r}")
    return compile_voice(voice)


def style_spec(slug: str) -> StyleSpec:
    """The preset as a worker wants it. Raises `UnknownVoice`."""
    preset = StylePreset.objects.filter(slug=slug).first()
    if preset is None:
        raise UnknownVoice(f"there is no style {slug!r}")
    return compile_style(preset)


def voice_specs() -> dict[str, VoiceSpec]:
    """Every voice by slug."""
    return {voice.slug: compile_voice(voice) for voice in Voice.objects.all()}


def style_specs() -> dict[str, StyleSpec]:
    """Every style preset by slug."""
    return {preset.slug: compile_style(preset) for preset in StylePreset.objects.all()}


def compile_voice(voice: Voice) -> VoiceSpec:
    return VoiceSpec(
        slug=voice.slug,
        language=voice.language,
        variant=voice.variant,
        pitch_hz=voice.pitch_hz,
        pitch_range=voice.pitch_range,
        words_per_minute=voice.words_per_minute,
        formant_ratio=voice.formant_ratio,
        timbre=voice.timbre,
    )


def compile_style(preset: StylePreset) -> StyleSpec:
    return StyleSpec(
        slug=preset.slug,
        rate=preset.rate,
        pitch_semitones=preset.pitch_semitones,
        pitch_range=preset.pitch_range,
        level_db=preset.level_db,
        whisper=preset.whisper,
        pause_scale=preset.pause_scale,
        instruction=preset.instruction,
    )
