"""Writes about accounts."""

from django.utils import timezone

from accounts.keys import digest, new_api_key
from accounts.models import ApiKey, User

MAX_API_KEYS = 20


class TooManyApiKeys(Exception):
    """This person already holds `MAX_API_KEYS` keys that work."""


def api_key_create(*, user: User, title: str) -> tuple[ApiKey, str]:
    """A new key and its row; the key cannot be read again. Raises `TooManyApiKeys`."""
    if user.api_keys.filter(revoked_at=None).count() >= MAX_API_KEYS:
        raise TooManyApiKeys(f"revoke a key first: {MAX_API_KEYS} are in use")
    key = new_api_key()
    row = ApiKey.objects.create(user=user, title=title.strip()[:80] or "API key", prefix=key[:9], digest=digest(key))
    return row, key


def api_key_revoke(*, user: User, key_id: int) -> bool:
    """Whether a working key of this person was found and revoked."""
    return bool(ApiKey.objects.filter(user=user, id=key_id, revoked_at=None).update(revoked_at=timezone.now()))


def api_key_touch(*, key_id: int) -> None:
    ApiKey.objects.filter(id=key_id).update(last_used_at=timezone.now())
