"""The user's side of a live session: from voice and typing to items of the conversation."""

import asyncio
import secrets
from collections import OrderedDict, deque

from inference.protocol import AUDIO_RATE_HZ, SAMPLE_BYTES, Heard, PartialHeard, VoiceStarted, VoiceStopped
from sessions.live.journal import TurnRecord
from sessions.live.stage import Stage
from sessions.realtime import server_events, troupe
from sessions.realtime.conversation import Item
from sessions.realtime.errors import ClientError

MIN_COMMIT_MS = 100
MAX_UTTERANCES = 64
"""Utterances whose items are remembered: an amendment concerns the last one or two."""


class UserInput:
    """Turns what the worker hears into protocol events. Methods are called on the session's event loop; none waits."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.detects_turns = True
        self.transcribes = True
        self.spoken_ms = 0
        self._items: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._open: set[str] = set()
        self._commits: deque[tuple[str, int]] = deque()
        self._buffered_bytes = 0
        self._first_audio_ms: int | None = None
        self._transcribed = asyncio.Event()
        self._transcribed.set()

    @property
    def is_speaking(self) -> bool:
        """An utterance has begun and not ended."""
        return bool(self._open)

    # --- from the client ---

    def appended(self, num_bytes: int) -> None:
        if self._first_audio_ms is None:
            self._first_audio_ms = self._stage.now_ms()
        self._buffered_bytes += num_bytes

    def commit(self, event_id: str | None) -> None:
        """The client ends the turn. Raises `ClientError` when there is nothing in the buffer."""
        buffered_ms = self._buffered_bytes * 1000 / (AUDIO_RATE_HZ * SAMPLE_BYTES)
        if buffered_ms < MIN_COMMIT_MS:
            message = f"the buffer holds {buffered_ms:.0f} ms of audio; at least {MIN_COMMIT_MS} ms are needed"
            raise ClientError("input_audio_buffer_commit_empty", message, event_id=event_id)
        self._buffered_bytes = 0
        if self.detects_turns and self.is_speaking:
            return  # The turn rules are in the middle of this utterance and will commit it.
        item_id = _new_item_id()
        self._commits.append((item_id, self._stage.journal.next_index()))
        self._transcribed.clear()
        self._committed(item_id)

    def cleared(self) -> None:
        self._buffered_bytes = 0
        self._open.clear()
        self._stage.downlink.emit(server_events.audio_cleared())

    async def transcripts(self) -> None:
        """Returns once no committed audio waits for its words."""
        await self._transcribed.wait()

    def give_up_transcripts(self) -> None:
        """The worker gave no words for what was committed."""
        while self._commits:
            item_id, _index = self._commits.popleft()
            failed = server_events.transcription_failed(
                item_id=item_id, code="no_transcript", message="no words came of this audio"
            )
            self._stage.downlink.emit(failed)
        self._transcribed.set()

    def typed(self, item: Item) -> None:
        """A message of the user that was written."""
        now_ms = self._stage.now_ms()
        turn = TurnRecord(
            index=self._stage.journal.next_index(),
            item_id=item.id,
            speaker="user",
            text=item.text,
            full_text=item.text,
            typed=True,
            started_ms=now_ms,
            ended_ms=now_ms,
        )
        self._stage.journal.record(turn)

    # --- from the worker ---

    def voice_started(self, event: VoiceStarted) -> None:
        if not self.detects_turns or self._commits:
            return  # What the client commits itself has no start of its own.
        self._open.add(event.utterance_id)
        item_id, _index = self._item(event.utterance_id)
        self._stage.downlink.emit(server_events.speech_started(item_id=item_id, audio_start_ms=event.at_ms))

    def voice_stopped(self, event: VoiceStopped) -> None:
        if event.utterance_id not in self._open:
            return
        self._open.discard(event.utterance_id)
        self._buffered_bytes = 0
        item_id, _index = self._item(event.utterance_id)
        self._stage.downlink.emit(server_events.speech_stopped(item_id=item_id, audio_end_ms=event.at_ms))
        self._committed(item_id)

    def partial(self, event: PartialHeard) -> None:
        if not self._stage.downlink.tier:
            return
        item_id = self._commits[0][0] if self._commits else self._item(event.utterance_id)[0]
        self._stage.downlink.emit(troupe.caption_partial(item_id=item_id, text=event.text))

    def heard(self, event: Heard) -> Item:
        """The words of a turn: its item, whole."""
        if self.detects_turns and not self._commits:
            # An utterance that is heard without having been seen to start and stop.
            if event.utterance_id not in self._items:
                self.voice_started(VoiceStarted(event.utterance_id, event.start_ms))
            self.voice_stopped(VoiceStopped(event.utterance_id, event.end_ms))
        item_id, index = self._commits.popleft() if self._commits else self._item(event.utterance_id)
        if event.replaces is not None:
            index = self._replace(event.replaces, item_id, index)
        item = self._stage.conversation.get(item_id)
        if item is None:
            self._committed(item_id)
            item = self._stage.conversation.get(item_id)
            assert item is not None
        item.parts[0]["transcript"] = event.text
        self.spoken_ms += max(event.end_ms - event.start_ms, 0)
        self._tell_transcript(item_id, event)
        self._items[event.utterance_id] = (item_id, index)
        if not self._commits:
            self._transcribed.set()
        if event.text:
            self._record(item_id, index, event)
        return item

    # --- within ---

    def _item(self, utterance_id: str) -> tuple[str, int]:
        """The item an utterance becomes, and its place among the turns."""
        known = self._items.get(utterance_id)
        if known is None:
            known = self._items[utterance_id] = (_new_item_id(), self._stage.journal.next_index())
            while len(self._items) > MAX_UTTERANCES:
                self._items.popitem(last=False)
        return known

    def _committed(self, item_id: str) -> None:
        item = Item(id=item_id, role="user", parts=[{"type": "input_audio", "transcript": None}])
        previous = self._stage.conversation.append(item)
        downlink, shown = self._stage.downlink, item.public()
        downlink.emit(server_events.audio_committed(item_id=item_id, previous_item_id=previous))
        downlink.emit(server_events.item_added(shown, previous_item_id=previous))
        downlink.emit(server_events.item_done(shown, previous_item_id=previous))

    def _replace(self, utterance_id: str, item_id: str, index: int) -> int:
        """The earlier item goes, its turn is written anew: returns that turn's place."""
        old = self._items.pop(utterance_id, None)
        if old is None or old[0] == item_id:
            return index
        if self._stage.conversation.delete(old[0]):
            self._stage.downlink.emit(server_events.item_deleted(old[0]))
        return old[1]

    def _tell_transcript(self, item_id: str, event: Heard) -> None:
        if not self.transcribes:
            return
        downlink, seconds = self._stage.downlink, max(event.end_ms - event.start_ms, 0) / 1000
        if event.text:
            downlink.emit(server_events.transcription_delta(item_id=item_id, text=event.text))
        completed = server_events.transcription_completed(item_id=item_id, text=event.text, seconds=seconds)
        downlink.emit(completed)

    def _record(self, item_id: str, index: int, event: Heard) -> None:
        # Input time counts from the first audio; the record counts from the start of the session.
        shift_ms = self._first_audio_ms or 0
        turn = TurnRecord(
            index=index,
            item_id=item_id,
            speaker="user",
            text=event.text,
            full_text=event.text,
            started_ms=event.start_ms + shift_ms,
            ended_ms=event.end_ms + shift_ms,
            words=[[text, start_ms + shift_ms, end_ms + shift_ms] for text, start_ms, end_ms in event.words],
        )
        self._stage.journal.record(turn)


def _new_item_id() -> str:
    return f"item_{secrets.token_hex(10)}"
