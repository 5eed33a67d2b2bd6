"""Settings of a session, and what they mean for turn-taking."""

from typing import Any

import pytest

from inference.protocol import StyleSpec, TurnTaking
from sessions.realtime.errors import ClientError
from sessions.realtime.session_config import SessionConfig, merged, styled, turn_taking

VOICES = frozenset({"hearth", "ember"})
BASE = SessionConfig(model="brief", voice="hearth", own_voice="hearth")
PROFILE = TurnTaking(silence_prompt_s=12.0, farewell_s=25.0)


def _merged(update: dict[str, Any], config: SessionConfig = BASE, has_spoken: bool = False) -> SessionConfig:
    return merged(config, update, voices=VOICES, has_spoken=has_spoken, event_id="e")


def _profile(turn_detection: dict[str, Any] | None, *, tier: bool = False) -> TurnTaking:
    config = _merged({"audio": {"input": {"turn_detection": turn_detection}}})
    return turn_taking(config, PROFILE, prompts_by_itself=tier)


def test_an_absent_key_keeps_and_a_null_switches_off() -> None:
    config = _merged({"audio": {"input": {"turn_detection": None}}})
    assert config.turn_detection is None and config.transcription == BASE.transcription
    again = _merged({"audio": {"input": {"transcription": None}}}, config)
    assert again.turn_detection is None and again.transcription is None


def test_a_bad_update_changes_nothing() -> None:
    with pytest.raises(ClientError) as caught:
        _merged({"instructions": "x", "audio": {"output": {"voice": "nobody"}}})
    assert (caught.value.param, caught.value.event_id) == ("session.audio.output.voice", "e")


def test_openai_voice_names_mean_the_characters_own_voice() -> None:
    other = _merged({"audio": {"output": {"voice": {"id": "ember"}}}})
    assert other.voice == "ember"
    assert _merged({"audio": {"output": {"voice": "marin"}}}, other).voice == "hearth"
    with pytest.raises(ClientError, match="cannot change"):
        _merged({"audio": {"output": {"voice": "marin"}}}, other, has_spoken=True)
    assert _merged({"audio": {"output": {"voice": "ember"}}}, other, has_spoken=True).voice == "ember"


def test_what_is_kept_without_effect_is_shown_again_and_bounded() -> None:
    tools = [{"type": "function", "name": "f"}]
    assert _merged({"tools": tools}).public("s", PROFILE)["tools"] == tools
    with pytest.raises(ClientError):
        _merged({"tools": [{"description": "x" * 100_000}]})


def test_silence_duration_sets_the_patience() -> None:
    quick = _profile({"type": "server_vad", "silence_duration_ms": 200})
    assert (quick.patience_s, quick.finished_patience_s) == (0.2, 0.2)
    slow = _profile({"type": "server_vad", "silence_duration_ms": 3_000})
    assert slow.patience_s == 3.0 and slow.unfinished_patience_s == 3.0
    assert _profile({"type": "server_vad"}).patience_s == PROFILE.patience_s
    assert _profile({"type": "server_vad", "silence_duration_ms": 0}).patience_s == 0.2


def test_eagerness_scales_the_patience() -> None:
    patience = [_profile({"type": "semantic_vad", "eagerness": each}).patience_s for each in ("high", "auto", "low")]
    assert patience == sorted(patience) and patience[1] == PROFILE.patience_s


def test_interruption_can_be_switched_off() -> None:
    assert _profile({"type": "server_vad", "interrupt_response": False}).interruptibility == 0.0


def test_only_the_tier_is_spoken_to_unasked() -> None:
    assert _profile({"type": "server_vad"}).silence_prompt_s == 0.0
    assert _profile({"type": "server_vad", "idle_timeout_ms": 8_000}).silence_prompt_s == 8.0
    own = _profile({"type": "server_vad"}, tier=True)
    assert (own.silence_prompt_s, own.farewell_s) == (12.0, 25.0)


def test_speed_is_a_rate_within_bounds() -> None:
    fast = _merged({"audio": {"output": {"speed": 1.5}}})
    assert styled(fast, StyleSpec(rate=1.0)).rate == 1.5
    assert styled(fast, StyleSpec(rate=1.8)).rate == 2.0
