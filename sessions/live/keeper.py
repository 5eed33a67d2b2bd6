"""Keeps what a session would need to go on elsewhere, as up to date as two seconds."""

import asyncio

from sessions.live.dialogue import Dialogue
from sessions.live.memory import Memory
from sessions.live.stage import Stage
from sessions.realtime.session_config import SessionConfig, saved

EVERY_S = 2.0


class Keeper:
    """Used on the session's event loop."""

    def __init__(self, stage: Stage, dialogue: Dialogue, *, acknowledges: bool) -> None:
        self._stage = stage
        self._dialogue = dialogue
        self._acknowledges = acknowledges
        self._kept_settings = (dialogue.config, dialogue.style.slug)

    async def run(self) -> None:
        """While something is being said, what was heard of it is written down again and again."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.keep()

    def keep(self) -> None:
        """Writes down what was heard so far, if an answer is running, and settings that have changed."""
        if self._dialogue.answers.keep(acknowledges=self._acknowledges) or self._settings != self._kept_settings:
            self.remember()

    def remember(self) -> None:
        """Writes down where the talk stands."""
        self._kept_settings = self._settings
        self._stage.journal.remember(self._memory().as_json())

    @property
    def _settings(self) -> tuple[SessionConfig, str]:
        return self._dialogue.config, self._dialogue.style.slug

    def _memory(self) -> Memory:
        dialogue = self._dialogue
        active = dialogue.answers.active
        num_responses, epoch = dialogue.answers.numbers
        return Memory(
            mind=self._stage.mind.snapshot(),
            voice=dialogue.config.voice,
            style=dialogue.style.slug,
            config=saved(dialogue.config),
            speaking=active.id if active is not None and active.ending is None else "",
            speaking_item=active.response.item_id if active is not None and active.ending is None else "",
            num_responses=num_responses,
            epoch=epoch,
            heard_s=dialogue.answers.spoken_ms / 1000,
            user_s=dialogue.user.spoken_ms / 1000,
        )
