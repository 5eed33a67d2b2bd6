"""Alice and Bob have accounts, Charlie too; a guest has only a cookie. Each is an HTTP client of the running server."""

import secrets
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from accounts.models import User
from accounts.services import api_key_create
from tests.live_server import LiveServer

CSRF = "c" * 32
CHARACTER = "brief"


class Person:
    """Someone at the door, with the cookies of their browser."""

    def __init__(self, server: LiveServer, name: str = "") -> None:
        self.server = server
        self.user: User | None = None
        self.http = httpx.Client(base_url=server.url, headers={"X-CSRFToken": CSRF}, cookies={"csrftoken": CSRF})
        if name:
            self.user = User.objects.create_user(f"{name}-{secrets.token_hex(4)}", password=secrets.token_hex(8))
            self.http.cookies.set("sessionid", _signed_in(self.user))

    @property
    def origin(self) -> str:
        return self.server.url

    def api_key(self) -> str:
        assert self.user is not None
        return api_key_create(user=self.user, title="test")[1]

    def begin(self, character: str = CHARACTER, **more: str) -> dict[str, Any]:
        """`POST /sessions/`, as the talk page does."""
        response = self.http.post("/sessions/", json={"character": character, **more})
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def resume(self, session_id: str) -> dict[str, Any]:
        response = self.http.post(f"/sessions/{session_id}/resume/")
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


def _signed_in(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    assert session.session_key is not None
    return session.session_key
