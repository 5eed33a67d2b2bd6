"""Secrets handed to clients: how they are made and what of them is stored."""

import hashlib
import secrets

API_KEY_PREFIX = "tk_"


def new_api_key() -> str:
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256 in hex. The secrets carry 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()
