"""From a character's version to a live session: what the worker is told about it."""

from django.conf import settings

from characters.mind.inference_spec import ears_spec
from characters.models import CharacterVersion
from characters.sheet import sheet_of
from inference.protocol import Lane, SessionSpec
from voices.selectors import style_spec, voice_spec


def lane_of(version: CharacterVersion) -> Lane:
    """How its calls are answered: the sheet's lane, or the echo where the whole platform is being measured."""
    return Lane.ECHO if settings.INFERENCE_LANE == Lane.ECHO else Lane(sheet_of(version).lane)


def session_spec(
    version: CharacterVersion, *, session_id: str, voice: str = "", style: str = "", troupe_tier: bool = False
) -> SessionSpec:
    """What a worker needs to hold this call.

    `voice` and `style` are slugs that replace the character's own. In the troupe tier the player lowers its own output
    and acknowledges what it played. Raises `voices.selectors.UnknownVoice`.
    """
    sheet = sheet_of(version)
    return SessionSpec(
        session_id=session_id,
        character=str(version),
        lane=lane_of(version),
        instructions=sheet.persona,
        voice=voice_spec(voice or version.voice.slug),
        style=style_spec(style or version.style.slug),
        turn_taking=sheet.turn_taking_profile(),
        ears=ears_spec(sheet),
        client_ducks=troupe_tier,
        acknowledges=troupe_tier,
    )
