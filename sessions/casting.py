"""From the row of a conversation to everything a live one needs, read in one go."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import translation

from characters.casting import session_spec
from characters.mind.base import Opening, Said
from characters.minds import mind_for
from characters.sheet import activities_of, styles_of
from inference.protocol import Lane
from sessions.live.cast import Choice, LiveCast, Menu
from sessions.live.limits import Limits
from sessions.live.memory import Past
from sessions.live.moving.ledger import MOST_HISTORY
from sessions.models import VoiceSession
from sessions.realtime.session_config import SessionConfig, merged, turn_taking, with_saved
from sessions.selectors import has_talked_before, seconds_left
from voices.selectors import style_specs, voice_list, voice_specs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Casting:
    cast: LiveCast
    config: SessionConfig
    limits: Limits
    remaining_s: float | None


def compile_casting(
    *, session: VoiceSession, tier: bool, wishes: Mapping[str, object] | None, past: Past | None = None
) -> Casting:
    """`wishes` are session settings that came with a short-lived key; `past` is what a rebuilt session had come to.

    Raises `voices.selectors.UnknownVoice` and `sessions.realtime.errors.ClientError`.
    """
    with translation.override(session.language):
        menu = _menu(session)
    version = session.version
    voices, styles = voice_specs(), style_specs()
    memory = past.memory if past is not None else None
    spec = session_spec(
        version,
        session_id=str(session.pk),
        voice=memory.voice if memory is not None and memory.voice in voices else session.voice,
        style=memory.style if memory is not None and memory.style in styles else session.style,
        troupe_tier=tier,
    )
    listener = session.user.first_name if session.user is not None else ""
    opening = Opening(returning=has_talked_before(session=session), listener_name=listener)
    mind = mind_for(version, styles=styles, voices=voices, seed=session.pk.int % 2**32)
    cast = LiveCast(spec, mind, session.character.slug, opening, menu, voices, styles)
    config = SessionConfig(model=cast.character, voice=spec.voice.slug, own_voice=spec.voice.slug)
    if wishes:
        config = merged(config, wishes, voices=frozenset(voices), has_spoken=False, event_id=None)
        # A full-duplex model cannot but speak; `session.created` tells what holds.
        config = replace(config, speaks=config.speaks or spec.lane is Lane.DUPLEX)
    if past is not None:
        cast, config = _rebuilt(cast, config, past)
    return Casting(cast, config, _limits(), seconds_left(user=session.user, guest_key=session.guest_key))


def _rebuilt(cast: LiveCast, config: SessionConfig, past: Past) -> tuple[LiveCast, SessionConfig]:
    """The mind knows what was said, and the settings are as the client left them."""
    said = tuple((("user" if turn.by_listener else "character"), turn.text) for turn in past.turns[-MOST_HISTORY:])
    cast = replace(cast, spec=replace(cast.spec, history=said))
    memory = past.memory
    try:
        if memory is None:
            raise ValueError("nothing was kept")
        cast.mind.delivery_changed(cast.spec.style, cast.spec.voice)
        cast.mind.restore(dict(memory.mind))
        config = with_saved(config, memory.config)
    except ValueError as error:
        logger.warning("session %s goes on without what its mind kept: %s", cast.spec.session_id, type(error).__name__)
        cast.mind.recall([Said(turn.by_listener, turn.text) for turn in past.turns])
    return cast, config


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
