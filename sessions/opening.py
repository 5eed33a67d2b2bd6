"""From a handshake to a live session: who it is, which conversation, where it lives, and a slot to hold it on."""

import asyncio
import logging
from dataclasses import dataclass, replace
from uuid import UUID

from channels.db import database_sync_to_async

from accounts.visitors import Visitor
from inference.errors import InferenceError, InvalidSpec
from sessions import control
from sessions.admission import admit, bearer_of, check_visitor
from sessions.booking_desk import BookingDesk
from sessions.casting import Casting, compile_casting, opening_spec
from sessions.dispatch import booking, this_process
from sessions.errors import BadRequest, Fenced, Full, Held, NoSession, Refusal, SessionOver
from sessions.handshake import Handshake
from sessions.holding import holding
from sessions.keys import CLIENT_SECRET_PREFIX
from sessions.live import closing, figures
from sessions.live.call import Call
from sessions.live.closing import RETRY_AFTER_S
from sessions.live.memory import Past
from sessions.live.moving import MovingStream
from sessions.live.registry import live_sessions
from sessions.live.session import LiveSession
from sessions.models import VoiceSession
from sessions.realtime.session_config import styled
from sessions.relay import HolderSilent, Pass, Relay
from sessions.selectors import session_access, session_past
from sessions.services import session_begin, session_discard, session_open
from sessions.store import DatabaseStore
from voices.selectors import UnknownVoice

logger = logging.getLogger(__name__)

AFTER_MAX = 2**31
"""Numbers of a session count up from what its client says it has; beyond this there would be no room for more."""


@dataclass(frozen=True, slots=True)
class _Booking:
    """What the database says about a handshake."""

    session: VoiceSession
    casting: Casting | None
    """None: the session has begun already."""


async def live_session_for(handshake: Handshake) -> LiveSession | Relay:
    """The session this socket is for: a new one, one that it comes back to, or the way to the process that holds it.

    Raises `Refusal`.
    """
    if handshake.passed is not None:
        live = await _held_here(handshake.passed.session_id, handshake.passed.fence)
        if live is None:
            raise NoSession("this process does not hold this conversation")
        return _of_tier(live, handshake)
    booked = await database_sync_to_async(_book)(handshake)
    live = await _held_here(str(booked.session.pk), booked.session.holder_fence)
    if live is not None:
        return _of_tier(live, handshake)
    if booked.casting is None:
        return await _found_again(booked.session, handshake)
    try:
        return await _begun(booked.session, booked.casting, tier=handshake.tier)
    except (Refusal, TimeoutError, asyncio.CancelledError):
        await database_sync_to_async(session_discard)(session_id=booked.session.pk)
        raise


async def _held_here(session_id: str, fence: int) -> LiveSession | None:
    """The session, unless another process has taken it from this one, which had not heard of it yet."""
    live = live_sessions.get(session_id)
    if live is None or live.fence == fence:
        return live
    live.end(closing.FENCED)
    await live.ended()
    return None


def _of_tier(live: LiveSession, handshake: Handshake) -> LiveSession:
    if live.tier != handshake.tier:
        raise BadRequest("come back the way you came: with the troupe tier or without")
    return live


# --- a conversation that has begun elsewhere -------------------------------------------------------------------


async def _found_again(session: VoiceSession, handshake: Handshake) -> LiveSession | Relay:
    """Its holder, if that answers; else this process takes it over."""
    if session.state != VoiceSession.State.LIVE or not handshake.tier:
        raise SessionOver("the conversation has ended")
    after = handshake.after or 0
    if after > AFTER_MAX:
        raise BadRequest("`after` is a sequence number of this conversation")
    _check_room()
    try:
        fence = await booking.hold(session.pk)
    except Held as held:
        if held.url and held.holder != this_process().id:
            try:
                return await Relay.open(held.url, Pass(str(session.pk), held.fence, handshake.tier, handshake.after))
            except HolderSilent as error:
                logger.warning("session %s: its holder is silent (%s)", session.pk, error)
        fence = await booking.hold(session.pk, over=held.fence)
        await control.tell_process(held.holder, control.Order("takeover", session=str(session.pk)))
    logger.info("session %s is taken over with fence %d", session.pk, fence)
    return await _rebuilt(session.pk, fence, after, tier=handshake.tier)


async def _rebuilt(session_id: UUID, fence: int, after: int, *, tier: bool) -> LiveSession:
    casting, past = await database_sync_to_async(_recast)(session_id, after, tier)
    try:
        live = await _open(session_id, casting, fence=fence, tier=tier, past=past)
    except (Refusal, TimeoutError, asyncio.CancelledError):
        # No worker has room: it may be tried again, here or elsewhere, until its time is up.
        await booking.let_go(session_id, fence)
        raise
    return live


def _recast(session_id: UUID, after: int, tier: bool) -> tuple[Casting, Past]:
    session = VoiceSession.objects.select_related("character", "version", "user").get(pk=session_id)
    past = session_past(session=session, after=after)
    try:
        return compile_casting(session=session, tier=tier, wishes=None, past=past), past
    except UnknownVoice as error:
        raise _Unplayable(str(error)) from error


# --- who it is --------------------------------------------------------------------------------------------------


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


# --- a slot to hold it on ---------------------------------------------------------------------------------------


async def _begun(session: VoiceSession, casting: Casting, *, tier: bool) -> LiveSession:
    _check_room()
    try:
        fence = await booking.hold(session.pk)
    except Held as held:
        raise BadRequest("this conversation is being opened by another socket") from held
    live = await _open(session.pk, casting, fence=fence, tier=tier)
    try:
        await database_sync_to_async(session_begin)(session_id=session.pk, fence=fence)
    except BaseException:
        live.end(closing.FAULT)
        raise
    return live


async def _open(session_id: UUID, casting: Casting, *, fence: int, tier: bool, past: Past | None = None) -> LiveSession:
    cast = opening_spec(casting, tier=tier)
    spec = replace(cast.spec, style=styled(casting.config, cast.spec.style))
    stream = MovingStream(spec, BookingDesk(fence), sticky="" if past is None else past.worker)
    try:
        await stream.open()
    except BaseException as error:
        await stream.close()
        if isinstance(error, InvalidSpec):
            logger.exception("the worker refuses the spec of %s", cast.spec.character)
            raise _Unplayable("this character cannot be played at the moment") from error
        if isinstance(error, InferenceError):
            raise Full("all voices are taken; try again in a moment", retry_after_s=RETRY_AFTER_S) from error
        if isinstance(error, Fenced):
            raise SessionOver("the conversation goes on elsewhere") from error
        raise
    live = LiveSession(
        Call(
            cast=cast,
            config=casting.config,
            stream=stream,
            store=DatabaseStore(session_id, fence),
            limits=casting.limits,
            remaining_s=casting.remaining_s,
            tier=tier,
            on_end=live_sessions.remove,
            fence=fence,
            past=past,
        )
    )
    live_sessions.add(live)
    if past is None:
        figures.session_begun()
    else:
        figures.session_taken_over()
    holding.start()
    live.start()
    return live


def _check_room() -> None:
    """Raises `Full` when this process takes no session."""
    try:
        live_sessions.check_room()
    except InferenceError as error:
        raise Full("all voices are taken; try again in a moment", retry_after_s=RETRY_AFTER_S) from error
