"""From a handshake to a live session: who it is, which conversation, and a slot to hold it on."""

import logging
from dataclasses import dataclass
from uuid import UUID

from channels.db import database_sync_to_async

from accounts.visitors import Visitor
from inference.client import connect
from inference.errors import InferenceError, InvalidSpec
from sessions.admission import admit, bearer_of, check_visitor
from sessions.casting import Casting, compile_casting, opening_spec
from sessions.errors import BadRequest, Full, NoSession, Refusal, SessionOver
from sessions.handshake import Handshake
from sessions.keys import CLIENT_SECRET_PREFIX
from sessions.live.call import Call
from sessions.live.closing import RETRY_AFTER_S
from sessions.live.registry import live_sessions
from sessions.live.session import LiveSession
from sessions.models import VoiceSession
from sessions.selectors import session_access
from sessions.services import session_begin, session_discard, session_open
from sessions.store import DatabaseStore
from voices.selectors import UnknownVoice

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Booking:
    """What the database says about a handshake."""

    session: VoiceSession
    casting: Casting | None
    """None: the session is live already."""


async def live_session_for(handshake: Handshake) -> LiveSession:
    """The session this socket is for: a new one, or a live one it comes back to. Raises `Refusal`."""
    booking = await database_sync_to_async(_book)(handshake)
    live = live_sessions.get(str(booking.session.pk))
    if live is not None:
        if live.tier != handshake.tier:
            raise BadRequest("come back the way you came: with the troupe tier or without")
        return live
    if booking.casting is None:
        raise SessionOver("the conversation has ended")
    try:
        return await _open(booking.session, booking.casting, tier=handshake.tier)
    except Refusal:
        await database_sync_to_async(session_discard)(session_id=booking.session.pk)
        raise


def _book(handshake: Handshake) -> _Booking:
    wishes = None
    if handshake.token:
        session = session_open(token=handshake.token)
    else:
        bearer = bearer_of(key=handshake.key)
        if handshake.session_id:
            return _Booking(_own_session(bearer.visitor, handshake.session_id), None)
        session = admit(
            visitor=bearer.visitor,
            slug=handshake.model if _may_choose(handshake, bearer.character) else bearer.character,
            address=handshake.address,
            origin=VoiceSession.Origin.API,
        )
        wishes = bearer.session
    if session.state != VoiceSession.State.CREATED:
        return _Booking(session, None)
    check_visitor(visitor=Visitor(user=session.user, guest_key=session.guest_key))
    try:
        casting = compile_casting(session=session, tier=handshake.tier, wishes=wishes)
    except UnknownVoice as error:
        raise _Unplayable(str(error)) from error
    return _Booking(session, casting)


class _Unplayable(Refusal):
    code = "invalid_spec"
    status = 400
    close_code = 4400


def _may_choose(handshake: Handshake, bound_to: str) -> bool:
    """A short-lived key made for one character opens no other."""
    return not (handshake.key.startswith(CLIENT_SECRET_PREFIX) and bound_to)


def _own_session(visitor: Visitor, session_id: str) -> VoiceSession:
    try:
        session = session_access(visitor=visitor, session_id=UUID(session_id))
    except ValueError:
        session = None
    if session is None:
        raise NoSession("there is no such conversation of yours")
    return session


async def _open(session: VoiceSession, casting: Casting, *, tier: bool) -> LiveSession:
    cast = opening_spec(casting, tier=tier)
    try:
        live_sessions.check_room()
        stream = await connect().open(cast.spec)
    except InvalidSpec as error:
        logger.exception("the worker refuses the spec of %s", cast.spec.character)
        raise _Unplayable("this character cannot be played at the moment") from error
    except InferenceError as error:
        raise Full("all voices are taken; try again in a moment", retry_after_s=RETRY_AFTER_S) from error
    live = LiveSession(
        Call(
            cast=cast,
            config=casting.config,
            stream=stream,
            store=DatabaseStore(session.pk),
            limits=casting.limits,
            remaining_s=casting.remaining_s,
            tier=tier,
            on_end=live_sessions.remove,
        )
    )
    live_sessions.add(live)
    await database_sync_to_async(session_begin)(session_id=session.pk)
    live.start()
    return live
