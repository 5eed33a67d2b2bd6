"""Typed readers of the environment. A value that makes no sense stops the start with its name and a remedy."""

import os
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def secret(name: str, *, bytes_min: int = 32) -> str:
    """Empty when it is not set. Its value is never shown."""
    value = text(name)
    if value and len(value.encode()) < bytes_min:
        raise ImproperlyConfigured(f"{name} is shorter than {bytes_min} bytes; make one with `openssl rand -hex 32`")
    return value


def flag(name: str, default: bool) -> bool:
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() in _TRUE:
        return True
    if value.strip().lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false; use 1 or 0")


def number(name: str, default: float, *, low: float, high: float) -> float:
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        result = float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is not a number") from error
    if not low <= result <= high:
        raise ImproperlyConfigured(f"{name}={value!r} must lie in {low:g}..{high:g}")
    return result


def integer(name: str, default: int, *, low: int, high: int) -> int:
    result = number(name, default, low=low, high=high)
    if result != int(result):
        raise ImproperlyConfigured(f"{name}={result!r} must be a whole number")
    return int(result)


def choice(name: str, default: str, choices: set[str]) -> str:
    value = text(name) or default
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} must be one of {', '.join(sorted(choices))}")
    return value


def words(name: str, default: Iterable[str] = ()) -> list[str]:
    """A comma-separated list."""
    value = os.environ.get(name)
    if value is None:
        return list(default)
    return [word.strip() for word in value.split(",") if word.strip()]


def networks(name: str, default: Iterable[str] = ()) -> list[IPv4Network | IPv6Network]:
    """A comma-separated list of networks, or single addresses."""
    found = []
    for word in words(name, default):
        try:
            found.append(ip_network(word, strict=False))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {word!r} is no network; write one like 10.0.0.0/8") from error
    return found


def folder(name: str, default: Path) -> Path:
    return Path(os.environ.get(name, "").strip() or default).expanduser().resolve()
