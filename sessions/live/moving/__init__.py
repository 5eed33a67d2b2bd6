"""A stream that outlives the worker behind it."""

from sessions.live.moving.dispatcher import Dispatcher
from sessions.live.moving.events import Moved
from sessions.live.moving.stream import MovingStream

__all__ = ["Dispatcher", "Moved", "MovingStream"]
