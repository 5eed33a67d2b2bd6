"""Reads about accounts."""

from accounts.keys import digest
from accounts.models import ApiKey, User


def api_key_user(key: str) -> User | None:
    """Whose key this is: None for an unknown or revoked key and for a person who may not sign in."""
    row = ApiKey.objects.select_related("user").filter(digest=digest(key), revoked_at=None).first()
    return row.user if row is not None and row.user.is_active else None
