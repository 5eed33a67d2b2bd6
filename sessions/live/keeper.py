"""Keeps what a session would need to go on elsewhere, as up to date as two seconds."""

import asyncio

from sessions.live.dialogue import Dialogue
from sessions.live.memory import Memory
from sessions.live.stage import Stage
from sessions.realtime.session_config import SessionConfig, saved

EVERY_S = 2.0
BEGINNING_S = 0.05
BEGINNING_LOOKS = 10
"""So often, `BEGINNING_S` apart, it is looked whether the first word was heard: what the user has begun to hear is to
be found again, however soon this process dies."""


class Keeper:
    """Used on the session's event loop."""

    def __init__(self, stage: Stage, dialogue: Dialogue, *, acknowledges: bool) -> None:
        self._stage = stage
        self._dialogue = dialogue
        self._acknowledges = acknowledges
        self._kept_settings = (dialogue.config, dialogue.style.slug)
        self._begun = asyncio.Event()

    def begun(self) -> None:
        """An answer is heard from now on."""
        self._begun.set()

    async def run(self) -> None:
        """While something is being said, what was heard of it is written down: its beginning, then again and again."""
        while True:
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._begun.wait()
            except TimeoutError:
                self.keep()
            else:
                self._begun.clear()
                await self._keep_beginning()

    async def _keep_beginning(self) -> None:
        for _ in range(BEGINNING_LOOKS):
            await asyncio.sleep(BEGINNING_S)
            if self.keep():
                return

    def keep(self) -> bool:
        """Writes down what was heard so far, and settings that have changed; whether anything of an answer was."""
        heard = self._dialogue.answers.keep(acknowledges=self._acknowledges)
        if heard or self._settings != self._kept_settings:
            self.remember()
        return heard

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
