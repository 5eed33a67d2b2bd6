"""Frozen dataclasses as JSON and back, strictly, by their own type hints. Standard library only."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from inference.errors import InvalidSpec, WireError

TYPE_KEY = "t"
INTEGER_MAX = 2**63 - 1

Reader = Callable[[Any, str], Any]
"""Turns a decoded JSON value into the field's; the text is the field's path, for the error."""


class JsonForm:
    """JSON objects for these dataclasses, told apart by `TYPE_KEY`.

    Every object says its type. A field at its default is left out, so that a newer side may add fields that an older
    one understands until they are used.
    """

    def __init__(self, types: Iterable[type]) -> None:
        self._types = {each.__name__: each for each in types}

    def encode(self, message: object) -> str:
        """Raises `WireError` for what has no JSON, such as a number that is not finite."""
        if type(message).__name__ not in self._types:
            raise WireError(f"a {type(message).__name__} does not travel here")
        try:
            return _ENCODER.encode(_plain(message))
        except (TypeError, ValueError) as error:
            raise WireError(f"{type(message).__name__} cannot be written: {error}") from error

    def decode(self, text: str | bytes) -> Any:
        """Raises `WireError` naming the type or field that is wrong."""
        try:
            value = _DECODER.decode(text if isinstance(text, str) else text.decode())
        except (ValueError, RecursionError) as error:
            raise WireError(f"the message is no JSON: {error}") from error
        return _read_object(self._types, value, "message")


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        kind: type = type(value)
        plain: dict[str, Any] = {TYPE_KEY: kind.__name__}
        for name, default in _defaults_of(kind):
            given = getattr(value, name)
            if given != default():
                plain[name] = _plain(given)
        return plain
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


@cache
def _defaults_of(kind: type) -> tuple[tuple[str, Callable[[], Any]], ...]:
    """Each field with what makes its default; `_NO_DEFAULT` equals nothing."""
    return tuple((item.name, _default_of(item)) for item in fields(kind))


def _default_of(item: "Field[Any]") -> Callable[[], Any]:
    if item.default_factory is not MISSING:
        return item.default_factory
    default = _NO_DEFAULT if item.default is MISSING else item.default
    return lambda: default


def _refuse_constant(name: str) -> NoReturn:
    raise WireError(f"{name} is no number")


_NO_DEFAULT = object()
# Made once: `json.dumps` and `json.loads` with options make one for every message.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _read_object(types: Mapping[str, type], value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise WireError(f"{path} must be an object, not {_shown(value)}")
    name = value.get(TYPE_KEY)
    kind = types.get(name) if isinstance(name, str) else None
    if kind is None:
        raise WireError(f"{path} is of an unknown type {_named(name)}")
    readers, required = _fields_of(kind)
    given: dict[str, Any] = {}
    for key, each in value.items():
        if key == TYPE_KEY:
            continue
        reader = readers.get(key)
        if reader is None:
            raise WireError(f"{name} has no field {_named(key)}")
        given[key] = reader(each, f"{name}.{key}")
    if missing := required - given.keys():
        raise WireError(f"{name} lacks {', '.join(sorted(missing))}")
    try:
        return kind(**given)
    except InvalidSpec as error:
        raise WireError(str(error)) from error


@cache
def _fields_of(kind: type) -> tuple[dict[str, Reader], frozenset[str]]:
    hints = get_type_hints(kind)
    items: tuple[Field[Any], ...] = fields(kind)
    required = frozenset(i.name for i in items if i.default is MISSING and i.default_factory is MISSING)
    return {item.name: _reader_of(hints[item.name]) for item in items}, required


def _reader_of(hint: Any) -> Reader:
    """The reader for a field's type hint. Raises `TypeError` for a hint that no message uses yet."""
    simple: dict[Any, Reader] = {str: _read_text, int: _read_integer, float: _read_number, bool: _read_flag}
    if hint in simple:
        return simple[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _one_of(frozenset(arguments))
    if origin in (UnionType, Union):
        return _union(arguments)
    if origin is tuple:
        return _many(_reader_of(arguments[0])) if arguments[-1] is Ellipsis else _row([*map(_reader_of, arguments)])
    if origin is dict:
        return _by_name(_reader_of(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _member_of(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _object_of((hint,))
    raise TypeError(f"no JSON form for {hint!r}")


def _union(arguments: tuple[Any, ...]) -> Reader:
    """Dataclasses told apart by their type, or one other kind of value; either with None."""
    given = [each for each in arguments if each is not NoneType]
    read = _object_of(given) if all(is_dataclass(each) for each in given) else _reader_of(given[0])
    if len(given) == len(arguments):
        return read
    return lambda value, path: None if value is None else read(value, path)


def _object_of(kinds: Iterable[type]) -> Reader:
    types = {kind.__name__: kind for kind in kinds}
    return lambda value, path: _read_object(types, value, path)


def _read_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise WireError(f"{path} must be text, not {_shown(value)}")
    return value


def _read_integer(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > INTEGER_MAX:
        raise WireError(f"{path} must be a whole number, not {_shown(value)}")
    return value


def _read_number(value: Any, path: str) -> float:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(_read_integer(value, path))
    if not isinstance(value, float) or not math.isfinite(value):
        raise WireError(f"{path} must be a number, not {_shown(value)}")
    return value


def _read_flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise WireError(f"{path} must be true or false, not {_shown(value)}")
    return value


def _one_of(allowed: frozenset[Any]) -> Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise WireError(f"{path} must be one of {', '.join(sorted(allowed))}, not {_shown(value)}")
        return value

    return read


def _member_of(kind: type[StrEnum]) -> Reader:
    read_name = _one_of(frozenset(member.value for member in kind))
    return lambda value, path: kind(read_name(value, path))


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise WireError(f"{path} must be a list, not {_shown(value)}")
    return value


def _many(read: Reader) -> Reader:
    return lambda value, path: tuple(read(each, path) for each in _list(value, path))


def _row(readers: list[Reader]) -> Reader:
    def read(value: Any, path: str) -> tuple[Any, ...]:
        cells = _list(value, path)
        if len(cells) != len(readers):
            raise WireError(f"{path} must be a list of {len(readers)}, not of {len(cells)}")
        return tuple(each(cell, path) for each, cell in zip(readers, cells, strict=True))

    return read


def _by_name(read: Reader) -> Reader:
    def read_all(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise WireError(f"{path} must be an object, not {_shown(value)}")
        return {name: read(each, f"{path}.{name}") for name, each in value.items()}

    return read_all


def _shown(value: Any) -> str:
    """For an error that is logged: never a word that somebody said."""
    match value:
        case None | bool() | int() | float():
            return repr(value)[:40]
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def _named(name: Any) -> str:
    """A type or a field, as far as it is a name."""
    return repr(name)[:40] if isinstance(name, str) else _shown(name)
