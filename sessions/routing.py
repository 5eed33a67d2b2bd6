"""Sockets of the site."""

from typing import Any

from django.urls import path

from sessions.consumers import RealtimeConsumer

# Django's `path` is typed for views; Channels routes an ASGI application by it.
_realtime: Any = RealtimeConsumer.as_asgi()
websocket_urlpatterns: list[Any] = [path("v1/realtime", _realtime)]
