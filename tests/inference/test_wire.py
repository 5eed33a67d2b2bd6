"""The protocol between two processes: everything comes out as it went in, and nothing else is taken."""

import json
import math
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import InvalidSpec, WireError
from inference.protocol import AudioOut, Command, Event, Heard, Pause, SessionSpec, StartSpeech, Words
from inference.protocol.specs import EarsSpec, StyleSpec, TurnTaking, VoiceSpec
from inference.protocol.speech import Deliver, Note
from inference.protocol.wire import (
    Beat,
    Failed,
    Leave,
    Opened,
    check_uplink_audio,
    decode_downlink,
    decode_uplink,
    encode_downlink,
    encode_uplink,
    pack_audio,
    unpack_audio,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
WHOLE = st.integers(min_value=0, max_value=2**63 - 1)
NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)


def spec_like(kind: type) -> st.SearchStrategy[Any]:
    """Valid values of a spec, within the bounds that its fields name."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{item.name: bounded(item.metadata, hints[item.name]) for item in fields(kind)})


def bounded(limits: Any, hint: Any) -> st.SearchStrategy[Any]:
    if "low" in limits and hint is int:
        return st.integers(int(limits["low"]), int(limits["high"]))
    if "low" in limits:
        return st.floats(limits["low"], limits["high"])
    return value_of(hint)


def value_of(hint: Any) -> st.SearchStrategy[Any]:
    simple = {str: TEXT, int: WHOLE, float: NUMBER, bool: st.booleans()}
    if hint in simple:
        return simple[hint]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis:
        return st.lists(value_of(get_args(hint)[0]), max_size=4).map(tuple)
    if get_origin(hint) is tuple:
        return st.tuples(*map(value_of, get_args(hint)))
    if get_origin(hint) is dict:
        return st.dictionaries(TEXT, value_of(get_args(hint)[1]), max_size=4)
    return st.from_type(hint)


def message_of(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{item.name: value_of(hints[item.name]) for item in fields(kind)})


for spec in (EarsSpec, StyleSpec, TurnTaking, VoiceSpec):
    st.register_type_strategy(spec, spec_like(spec))
st.register_type_strategy(Pause, st.builds(Pause, st.floats(0, 20)))
st.register_type_strategy(
    Note, st.builds(Note, st.floats(0.01, 20), st.none() | st.floats(24, 96) | st.integers(24, 96), TEXT)
)
st.register_type_strategy(Words, st.builds(Words, TEXT))
st.register_type_strategy(
    Deliver, st.builds(Deliver, st.none() | spec_like(StyleSpec), st.none() | spec_like(VoiceSpec))
)
COMMANDS = st.one_of(*(message_of(kind) for kind in get_args(Command)))
EVENTS = st.one_of(*(message_of(kind) for kind in get_args(Event) if kind is not AudioOut))


@settings(deadline=None)
@given(COMMANDS | message_of(SessionSpec) | st.just(Beat()) | st.just(Leave()))
def test_whatever_goes_to_the_worker_arrives_as_it_was(message: Any) -> None:
    assert decode_uplink(encode_uplink(message)) == message


@settings(deadline=None)
@given(EVENTS | message_of(Opened) | message_of(Failed) | st.just(Beat()))
def test_whatever_comes_from_the_worker_arrives_as_it_was(message: Any) -> None:
    assert decode_downlink(encode_downlink(message)) == message


@settings(deadline=None)
@given(TEXT, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=400))
def test_audio_arrives_as_it_was(response: str, epoch: int, position: int, pcm: bytes) -> None:
    audio = AudioOut(response, epoch, position, pcm[: len(pcm) // 2 * 2])
    assert unpack_audio(pack_audio(audio)) == audio


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_audio_raise_nothing_but_wire_errors(data: bytes) -> None:
    try:
        audio = unpack_audio(data)
    except WireError:
        return
    assert pack_audio(audio)[4:] == data[4:]


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | NUMBER | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)
    )
)
def test_json_that_is_no_message_raises_nothing_but_wire_errors(value: Any) -> None:
    with pytest.raises(WireError):
        decode_uplink(json.dumps(value))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ('{"response_id":"r"}', "type None"),
        ('{"t":"Ready","slot":1}', "Ready"),
        ('{"t":"StartSpeech"}', "lacks response_id"),
        ('{"t":"StartSpeech","response_id":"r","tone":1}', "no field 'tone'"),
        ('{"t":"StartSpeech","response_id":1}', "StartSpeech.response_id must be text"),
        ('{"t":"StartSpeech","response_id":"r","interruptible":1}', "true or false"),
        ('{"t":"PlaybackAck","response_id":"r","played_samples":1.5}', "whole number"),
        ('{"t":"PlaybackAck","response_id":"r","played_samples":true}', "whole number"),
        ('{"t":"PlaybackAck","response_id":"r","played_samples":99999999999999999999}', "whole number"),
        ('{"t":"SetStyle","style":{"t":"StyleSpec","rate":"fast"}}', "StyleSpec.rate must be a number"),
        ('{"t":"SetStyle","style":{"t":"StyleSpec","rate":9}}', "0.5..2"),
        ('{"t":"SetStyle","style":{"t":"StyleSpec","rate":NaN}}', "NaN"),
        ('{"t":"SetStyle","style":{"t":"StyleSpec","rate":1e999}}', "number"),
        ('{"t":"SetStyle","style":{"t":"VoiceSpec"}}', "VoiceSpec"),
        ('{"t":"SpeakPart","response_id":"r","part":{"t":"Pause","seconds":21}}', "a pause lasts"),
        ('{"t":"SpeakPart","response_id":"r","part":"hello"}', "SpeakPart.part must be an object"),
        ('{"t":"SessionSpec","session_id":"s","character":"c","lane":"fast"}', "one of composed"),
        ('{"t":"SessionSpec","session_id":"s","character":"c","history":[["user"]]}', "list of 2"),
    ],
)
def test_what_is_wrong_is_named(text: str, names: str) -> None:
    with pytest.raises(WireError, match=names.replace(".", r"\.")):
        decode_uplink(text)


def test_a_field_that_a_newer_side_added_is_understood_as_long_as_it_is_not_used() -> None:
    assert encode_uplink(StartSpeech("r")) == '{"t":"StartSpeech","response_id":"r"}'
    assert "confidence" not in encode_downlink(Heard("u", "hello", 0, 400))


def test_nothing_travels_the_wrong_way_or_without_a_number() -> None:
    with pytest.raises(WireError, match="Heard"):
        encode_uplink(Heard("u", "hello", 0, 400))  # type: ignore[arg-type]
    with pytest.raises(WireError, match="AudioOut"):
        encode_downlink(AudioOut("r", 0, 0, b""))
    with pytest.raises(WireError, match="Heard"):
        encode_downlink(Heard("u", "hello", 0, 400, confidence=math.nan))
    with pytest.raises(WireError, match="AudioOut"):
        pack_audio(AudioOut("r", -1, 0, b""))


@pytest.mark.parametrize("data", [b"", b"odd", bytes(30 * 48_000 + 2)])
def test_uplink_audio_is_whole_samples_of_a_sensible_length(data: bytes) -> None:
    with pytest.raises(InvalidSpec):
        check_uplink_audio(data)
