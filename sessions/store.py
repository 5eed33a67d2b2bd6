"""The live session's door to the database."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import transaction

from accounts.models import User
from sessions import services
from sessions.dispatch import booking
from sessions.live.call import Standing, Totals
from sessions.live.journal import TurnRecord
from sessions.models import VoiceSession
from sessions.selectors import seconds_left


class DatabaseStore:
    """A `sessions.live.call.Store`. Each call borrows a connection and gives it back."""

    def __init__(self, session_id: UUID, fence: int) -> None:
        self._session_id = session_id
        self._fence = fence

    async def write_turn(self, turn: TurnRecord, memory: dict[str, Any] | None = None) -> None:
        await database_sync_to_async(self._write)(turn, memory)

    async def keep_memory(self, memory: dict[str, Any]) -> None:
        await database_sync_to_async(services.session_keep_mind)(
            session_id=self._session_id, state=memory, fence=self._fence
        )

    async def amend_turn(self, item_id: str, text: str) -> None:
        await database_sync_to_async(services.turn_amend)(
            session_id=self._session_id, item_id=item_id, text=text, fence=self._fence
        )

    async def touch(self, totals: Totals) -> Standing:
        return await database_sync_to_async(self._touch)(totals)

    async def finish(self, reason: str, totals: Totals) -> None:
        await database_sync_to_async(self._finish)(reason, totals)

    async def let_go(self) -> None:
        await booking.let_go(self._session_id, self._fence)

    @transaction.atomic
    def _write(self, turn: TurnRecord, memory: dict[str, Any] | None) -> None:
        fields = asdict(turn)
        index = fields.pop("index")
        services.turn_record(session_id=self._session_id, index=index, fields=fields, fence=self._fence)
        if memory is not None:
            services.session_keep_mind(session_id=self._session_id, state=memory, fence=self._fence)

    @transaction.atomic
    def _finish(self, reason: str, totals: Totals) -> None:
        # What only an unfinished session needs is not kept: it repeats what was said.
        services.session_keep_mind(session_id=self._session_id, state={}, fence=self._fence)
        services.session_finish(
            session_id=self._session_id,
            reason=reason,
            heard_s=totals.heard_s,
            user_s=totals.user_s,
            fence=self._fence,
        )

    def _touch(self, totals: Totals) -> Standing:
        services.session_touch(
            session_id=self._session_id, heard_s=totals.heard_s, user_s=totals.user_s, fence=self._fence
        )
        row = VoiceSession.objects.select_related("user").filter(pk=self._session_id).first()
        if row is None:
            return Standing(allowed=False, remaining_s=None)
        allowed = row.user is None or (isinstance(row.user, User) and row.user.is_active)
        return Standing(allowed, seconds_left(user=row.user, guest_key=row.guest_key))
