"""Whoever is at the door: a person with an account, or a guest known by a signed cookie."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.http import HttpRequest, HttpResponse

from accounts.keys import digest
from accounts.models import User

GUEST_COOKIE = "troupe_guest"
GUEST_COOKIE_AGE_S = 365 * 24 * 3600
_SALT = "accounts.guest"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Exactly one of the two is set."""

    user: User | None = None
    guest_key: str = ""
    """Digest of the guest's cookie: what rows store."""

    @property
    def is_guest(self) -> bool:
        return self.user is None

    @property
    def key(self) -> str:
        """One string for limits and caches."""
        return f"user:{self.user.pk}" if self.user is not None else f"guest:{self.guest_key}"


def read_guest_cookie(value: str | None) -> str | None:
    """The guest key in a cookie's value; None when there is none or its signature is wrong."""
    if not value:
        return None
    try:
        secret = signing.loads(value, salt=_SALT, max_age=GUEST_COOKIE_AGE_S)
    except signing.BadSignature:
        return None
    return digest(secret) if isinstance(secret, str) else None


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor `VisitorMiddleware` found."""
    return request.visitor  # type: ignore[attr-defined]


class VisitorMiddleware:
    """Sets `request.visitor`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        new_cookie = ""
        if isinstance(request.user, User) and not isinstance(request.user, AnonymousUser):
            visitor = Visitor(user=request.user)
        else:
            guest_key = read_guest_cookie(request.COOKIES.get(GUEST_COOKIE))
            if guest_key is None:
                secret = secrets.token_urlsafe(24)
                guest_key, new_cookie = digest(secret), signing.dumps(secret, salt=_SALT)
            visitor = Visitor(guest_key=guest_key)
        request.visitor = visitor  # type: ignore[attr-defined]
        response = self.get_response(request)
        if new_cookie and request.method == "POST":
            # Only someone who does something is remembered; looking around sets no cookie.
            response.set_cookie(
                GUEST_COOKIE,
                new_cookie,
                max_age=GUEST_COOKIE_AGE_S,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure(),
            )
        return response
