"""Typed readers of the environment. A value that makes no sense stops the start with its name and a remedy."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class SettingError(Exception):
    """A setting that cannot be used; the message names it and says what would do."""


class Address(NamedTuple):
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """As it stands in a url."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def number(name: str, default: float, *, low: float, high: float) -> float:
    value = text(name)
    if not value:
        return default
    try:
        result = float(value)
    except ValueError as error:
        raise SettingError(f"{name}={value!r} is not a number") from error
    if not low <= result <= high:
        raise SettingError(f"{name}={value!r} must lie in {low:g}..{high:g}")
    return result


def integer(name: str, default: int, *, low: int, high: int) -> int:
    result = number(name, default, low=low, high=high)
    if result != int(result):
        raise SettingError(f"{name}={result!r} must be a whole number")
    return int(result)


def choice(name: str, default: str, choices: Iterable[str]) -> str:
    value, known = text(name, default), sorted(choices)
    if value not in known:
        raise SettingError(f"{name}={value!r} must be one of {', '.join(known)}")
    return value


def words(name: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(word.strip() for word in text(name).split(",") if word.strip())


def folder(name: str) -> Path | None:
    value = text(name)
    return Path(value).expanduser().resolve() if value else None


def secret(name: str, *, bytes_min: int) -> str:
    """Must be given. Its value is never shown."""
    value = text(name)
    if len(value.encode()) < bytes_min:
        what = "is missing" if not value else f"is shorter than {bytes_min} bytes"
        raise SettingError(f"{name} {what}; make one with `openssl rand -hex 32` and give it to the web side as well")
    return value


def address(name: str, default: str) -> Address:
    """`host:port`, an IPv6 address in brackets."""
    value = text(name, default)
    host, _, port = value.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise SettingError(f"{name}={value!r} is no address; write it as host:port, such as {default}")
    return Address(host, int(port))


def urls(name: str, schemes: tuple[str, ...]) -> tuple[str, ...]:
    """A comma-separated list of urls of these schemes."""
    found = words(name)
    for each in found:
        scheme, separator, rest = each.partition("://")
        if scheme not in schemes or not separator or not rest:
            raise SettingError(f"{name}={each!r} is no url; write it as {schemes[0]}://host:port")
    return found
