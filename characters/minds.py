"""Which mind speaks for a character: its own script, or a chat endpoint with the script behind it."""

from collections.abc import Mapping
from functools import lru_cache

from django.conf import settings

from characters.mind.base import Mind
from characters.mind.chat_endpoint import ChatEndpoint, EndpointSettings
from characters.mind.chat_mind import ChatMind
from characters.mind.repertoire import Repertoire
from characters.mind.script_mind import ScriptMind
from characters.mind.stage import Stage
from characters.models import CharacterVersion
from characters.sheet import sheet_of
from inference.protocol import StyleSpec, VoiceSpec


def mind_for(
    version: CharacterVersion, *, styles: Mapping[str, StyleSpec], voices: Mapping[str, VoiceSpec], seed: int = 0
) -> Mind:
    """The mind of one session, which may name these presets and voices by slug; `seed` picks its variants."""
    stage = Stage(sheet_of(version), styles=styles, voices=voices)
    script = ScriptMind(stage, seed=seed, repertoire=_repertoire(version))
    return ChatMind(script, _endpoint()) if settings.MIND_BASE_URL else script


@lru_cache(maxsize=1)
def _endpoint() -> ChatEndpoint:
    """One for the process: it remembers when the endpoint is down, and keeps connections open."""
    return ChatEndpoint(
        EndpointSettings(
            base_url=settings.MIND_BASE_URL,
            model=settings.MIND_MODEL,
            api_key=settings.MIND_API_KEY,
            first_words_s=settings.MIND_TIMEOUT_S,
        )
    )


@lru_cache(maxsize=64)
def _repertoire(version: CharacterVersion) -> Repertoire:
    """Shared by all sessions of a version, which never changes."""
    return Repertoire(sheet_of(version))
