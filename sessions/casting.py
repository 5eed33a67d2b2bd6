"""From the row of a conversation to everything a live one needs, read in one go."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import translation

from characters.casting import session_spec
from characters.mind.base import Opening
from characters.minds import mind_for
from characters.sheet import activities_of, styles_of
from inference.protocol import Lane
from sessions.live.cast import Choice, LiveCast, Menu
from sessions.live.limits import Limits
from sessions.models import VoiceSession
from sessions.realtime.session_config import SessionConfig, merged, turn_taking
from sessions.selectors import has_talked_before, seconds_left
from voices.selectors import style_specs, voice_list, voice_specs


@dataclass(frozen=True, slots=True)
class Casting:
    cast: LiveCast
    config: SessionConfig
    limits: Limits
    remaining_s: float | None


def compile_casting(*, session: VoiceSession, tier: bool, wishes: Mapping[str, object] | None) -> Casting:
    """`wishes` are session settings that came with a short-lived key.

    Raises `voices.selectors.UnknownVoice` and `sessions.realtime.errors.ClientError`.
    """
    with translation.override(session.language):
        menu = _menu(session)
    version = session.version
    spec = session_spec(version, session_id=str(session.pk), voice=session.voice, style=session.style, troupe_tier=tier)
    voices, styles = voice_specs(), style_specs()
    listener = session.user.first_name if session.user is not None else ""
    opening = Opening(returning=has_talked_before(session=session), listener_name=listener)
    mind = mind_for(version, styles=styles, voices=voices, seed=session.pk.int % 2**32)
    cast = LiveCast(spec, mind, session.character.slug, opening, menu, voices, styles)
    config = SessionConfig(model=cast.character, voice=spec.voice.slug, own_voice=spec.voice.slug)
    if wishes:
        config = merged(config, wishes, voices=frozenset(voices), has_spoken=False, event_id=None)
        # A full-duplex model cannot but speak; `session.created` tells what holds.
        config = replace(config, speaks=config.speaks or spec.lane is Lane.DUPLEX)
    return Casting(cast, config, _limits(), seconds_left(user=session.user, guest_key=session.guest_key))


def opening_spec(casting: Casting, *, tier: bool) -> LiveCast:
    """The cast as the stream opens: manners and voice as this client wants them."""
    cast, config = casting.cast, casting.config
    spec = replace(
        cast.spec,
        voice=cast.voices.get(config.voice, cast.spec.voice),
        turn_taking=turn_taking(config, cast.spec.turn_taking, prompts_by_itself=tier),
        detects_turns=config.turn_detection is not None,
        speaks=config.speaks,
    )
    return replace(cast, spec=spec)


def _menu(session: VoiceSession) -> Menu:
    return Menu(
        styles=tuple(Choice(style.slug, str(style.title)) for style in styles_of(session.version)),
        voices=tuple(Choice(voice.slug, str(voice.title)) for voice in voice_list()),
        activities=tuple(Choice(each["slug"], each["title"], each["kind"]) for each in activities_of(session.version)),
    )


def _limits() -> Limits:
    return Limits(
        max_s=settings.SESSION_MAX_SECONDS,
        idle_s=settings.SESSION_IDLE_SECONDS,
        resume_s=settings.SESSION_RESUME_SECONDS,
    )
