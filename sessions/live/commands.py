"""What each client event does to a session."""

import secrets
from collections.abc import Callable
from typing import Any, Protocol

from inference.protocol import AUDIO_RATE_HZ, ClearInput, CommitInput, PlaybackAck, UserActive
from sessions.live.dialogue import Dialogue
from sessions.live.stage import Stage
from sessions.realtime import client_events as ga
from sessions.realtime import server_events, troupe
from sessions.realtime.conversation import item_from
from sessions.realtime.errors import ClientError


class Host(Protocol):
    """What commands need of the session around the dialogue."""

    def tell_settings(self) -> None:
        """Sends `session.updated`."""

    def leave(self) -> None:
        """The client ends the session."""

    def amend(self, item_id: str, text: str) -> None:
        """The stored words of this item are cut to these."""


class Commands:
    """Carries out validated client events. `run` raises `ClientError` for what cannot be done now."""

    def __init__(self, stage: Stage, dialogue: Dialogue, host: Host) -> None:
        self._stage = stage
        self._dialogue = dialogue
        self._host = host
        self._handlers: dict[type[ga.ClientEvent], Callable[[Any], None]] = {
            ga.AppendAudio: self._append,
            ga.SessionUpdate: self._update,
            ga.CommitAudio: self._commit,
            ga.ClearAudio: self._clear,
            ga.CreateItem: self._create_item,
            ga.RetrieveItem: self._retrieve,
            ga.TruncateItem: self._truncate,
            ga.DeleteItem: self._delete,
            ga.CreateResponse: self._create_response,
            ga.CancelResponse: self._cancel_response,
            ga.ClearOutput: lambda event: None,
            troupe.AckPlayback: self._ack,
            troupe.ChooseStyle: self._style,
            troupe.ChooseVoice: self._voice,
            troupe.ChooseActivity: self._activity,
            troupe.Ping: lambda event: self._stage.downlink.emit(troupe.pong(event.t)),
            troupe.EndSession: lambda event: self._host.leave(),
        }

    def run(self, event: ga.ClientEvent) -> None:
        self._handlers[type(event)](event)

    # --- audio and settings ---

    def _append(self, event: ga.AppendAudio) -> None:
        pcm = ga.decode_audio(event)
        if pcm:
            self._dialogue.user.appended(len(pcm))
            self._stage.stream.send_audio(pcm)

    def _update(self, event: ga.SessionUpdate) -> None:
        if self._dialogue.update(event.session, event_id=event.event_id):
            self._host.tell_settings()

    def _commit(self, event: ga.CommitAudio) -> None:
        self._dialogue.user.commit(event.event_id)
        self._stage.stream.send(CommitInput())

    def _clear(self, event: ga.ClearAudio) -> None:
        # `input_audio_buffer.cleared` follows when the worker has done it.
        self._stage.stream.send(ClearInput())

    # --- items ---

    def _create_item(self, event: ga.CreateItem) -> None:
        item_id = event.item.id or f"item_{secrets.token_hex(10)}"
        item = item_from(event.item, item_id=item_id, event_id=event.event_id)
        if item.role == "user":
            self._dialogue.check_hears_text(event.event_id)
        conversation = self._stage.conversation
        previous = conversation.insert(item, after=event.previous_item_id, event_id=event.event_id)
        shown = item.public()
        self._stage.downlink.emit(server_events.item_added(shown, previous_item_id=previous))
        self._stage.downlink.emit(server_events.item_done(shown, previous_item_id=previous))
        if item.role == "user":
            self._dialogue.typed(item)

    def _retrieve(self, event: ga.RetrieveItem) -> None:
        item = self._stage.conversation.get(event.item_id)
        if item is None:
            message = "there is no such item"
            raise ClientError("item_retrieve_invalid_item_id", message, param="item_id", event_id=event.event_id)
        self._stage.downlink.emit(server_events.item_retrieved(item.public()))

    def _truncate(self, event: ga.TruncateItem) -> None:
        text = self._stage.conversation.truncate(
            event.item_id,
            content_index=event.content_index,
            audio_end_ms=event.audio_end_ms,
            event_id=event.event_id,
        )
        self._host.amend(event.item_id, text)
        self._stage.downlink.emit(
            server_events.item_truncated(
                item_id=event.item_id, content_index=event.content_index, audio_end_ms=event.audio_end_ms
            )
        )

    def _delete(self, event: ga.DeleteItem) -> None:
        if not self._stage.conversation.delete(event.item_id):
            message = "there is no such item"
            raise ClientError("item_delete_invalid_item_id", message, param="item_id", event_id=event.event_id)
        self._stage.downlink.emit(server_events.item_deleted(event.item_id))

    # --- responses ---

    def _create_response(self, event: ga.CreateResponse) -> None:
        self._stage.stream.send(UserActive())
        self._dialogue.create_response(event.response or ga.ResponseRequest(), event_id=event.event_id)

    def _cancel_response(self, event: ga.CancelResponse) -> None:
        active = self._dialogue.answers.active
        asked = event.response_id
        if active is None or not self._dialogue.answers.is_busy or (asked is not None and asked != active.id):
            message = "Cancellation failed: no such response is in progress"
            raise ClientError("response_cancel_not_active", message, param="response_id", event_id=event.event_id)
        self._dialogue.answers.cancel("client_cancelled")

    # --- the tier ---

    def _ack(self, event: troupe.AckPlayback) -> None:
        self._dialogue.answers.played(event.response_id, event.played_ms)
        self._stage.stream.send(PlaybackAck(event.response_id, round(event.played_ms * AUDIO_RATE_HZ / 1000)))

    def _style(self, event: troupe.ChooseStyle) -> None:
        self._stage.stream.send(UserActive())
        if not self._dialogue.set_style(event.style):
            raise ClientError("invalid_value", "there is no such style", param="style", event_id=event.event_id)

    def _voice(self, event: troupe.ChooseVoice) -> None:
        self._stage.stream.send(UserActive())
        self._dialogue.set_voice(event.voice, event_id=event.event_id)

    def _activity(self, event: troupe.ChooseActivity) -> None:
        self._dialogue.start_activity(event.activity, event_id=event.event_id)
