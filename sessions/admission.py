"""Who may begin a conversation now."""

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from accounts.keys import API_KEY_PREFIX
from accounts.selectors import api_key_user
from accounts.visitors import Visitor
from characters.casting import lane_of
from characters.models import Character
from characters.selectors import character_access
from sessions.dispatch import lanes_served
from sessions.errors import LimitReached, NoCharacter, NotAllowed, NotAuthenticated, NoVoiceModel
from sessions.keys import CLIENT_SECRET_PREFIX
from sessions.models import VoiceSession
from sessions.selectors import client_secret, num_open_sessions, seconds_left
from sessions.services import session_create

logger = logging.getLogger(__name__)

WINDOW_S = 600
"""Of the limit on how many conversations are begun from one address."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who holds a key, and what the key itself says about the session."""

    visitor: Visitor
    character: str = ""
    session: Mapping[str, object] | None = None


def bearer_of(*, key: str) -> Bearer:
    """Raises `NotAuthenticated` for a key that is unknown, revoked or expired."""
    if key.startswith(CLIENT_SECRET_PREFIX):
        secret = client_secret(key=key)
        if secret is not None:
            visitor = Visitor(user=secret.user, guest_key=secret.guest_key)
            slug = secret.character.slug if secret.character is not None else ""
            return Bearer(visitor, slug, secret.session)
    elif key.startswith(API_KEY_PREFIX):
        user = api_key_user(key)
        if user is not None:
            return Bearer(Visitor(user=user))
    raise NotAuthenticated("the key is unknown, revoked or expired")


def check_visitor(*, visitor: Visitor) -> None:
    """Raises `NotAllowed` for a guest where guests may not talk."""
    if visitor.is_guest and not settings.GUESTS_MAY_TALK:
        raise NotAllowed("sign in to talk")


def playable_character(*, visitor: Visitor, slug: str) -> Character:
    """Raises `NoCharacter` when this visitor has none of this name."""
    character = character_access(visitor=visitor, slug=slug)
    if character is None or character.current is None:
        raise NoCharacter(f"there is no character {slug[:80]!r}")
    return character


def check_lane(*, character: Character) -> None:
    """Raises `NoVoiceModel` for a character that no worker can play."""
    if character.current is None:
        return
    lane = lane_of(character.current)
    served = lanes_served()
    # No worker at all may be just starting; whoever reserves a slot says so.
    if served and lane not in served:
        raise NoVoiceModel(f"{character} speaks through a voice model in the {lane} lane, and none is loaded here")


def admit(*, visitor: Visitor, slug: str, address: str, origin: str, voice: str = "", style: str = "") -> VoiceSession:
    """A new conversation for this visitor. Raises `NotAllowed`, `NoCharacter`, `NoVoiceModel` or `LimitReached`."""
    check_visitor(visitor=visitor)
    character = playable_character(visitor=visitor, slug=slug)
    check_lane(character=character)
    check_rate(visitor=visitor, address=address)
    remaining_s = seconds_left(user=visitor.user, guest_key=visitor.guest_key)
    if remaining_s is not None and remaining_s < 1:
        raise LimitReached("your time for today is used up; sign in to talk longer", retry_after_s=3600)
    if num_open_sessions(visitor=visitor) >= _most_at_once(visitor):
        raise LimitReached("you are in as many conversations as you may hold at once; end one first", retry_after_s=30)
    return session_create(visitor=visitor, character=character, origin=origin, voice=voice, style=style)


def check_rate(*, visitor: Visitor, address: str) -> None:
    """Raises `LimitReached` when too many conversations were begun lately: by a user, or from a guest's address."""
    who = f"address:{address}" if visitor.is_guest else visitor.key
    limit = settings.SESSIONS_PER_ADDRESS if visitor.is_guest else settings.SESSIONS_PER_USER
    window, elapsed_s = divmod(int(time.time()), WINDOW_S)
    key = f"sessions-begun:{hashlib.sha256(who.encode()).hexdigest()[:32]}:{window}"
    if _counted(key) > limit:
        wait_s = WINDOW_S - elapsed_s
        raise LimitReached("too many conversations were begun; wait a little", retry_after_s=wait_s)


def _counted(key: str) -> int:
    """How often it was counted in its window; 0 where nobody can say, for then people rather talk than wait."""
    try:
        cache.add(key, 0, timeout=WINDOW_S * 2)
        return int(cache.incr(key))
    except ValueError:  # evicted in between
        return 0
    except RedisError as error:
        logger.warning("beginnings are not counted while the cache is away: %s", type(error).__name__)
        return 0


def _most_at_once(visitor: Visitor) -> int:
    return settings.GUEST_SESSIONS_AT_ONCE if visitor.is_guest else settings.USER_SESSIONS_AT_ONCE
