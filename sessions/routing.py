"""Sockets of the site."""

from typing import Any

from django.urls import path

from sessions.consumers import RealtimeConsumer
from sessions.door import Door

# Django's `path` is typed for views; Channels routes an ASGI application by it.
_realtime: Any = Door(RealtimeConsumer.as_asgi())
websocket_urlpatterns: list[Any] = [path("v1/realtime", _realtime)]
