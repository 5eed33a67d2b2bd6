"""From the text of a cast file to a checked `CastFile`, with the line of every mistake."""

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from characters.cast_file.activities import KINDS
from characters.cast_file.model import CastFile
from characters.cast_file.problems import CastFileError, Problem

LARGEST_FILE_BYTES = 2_000_000
DEEPEST_NESTING = 40
_Path = tuple[str | int, ...]


def read_cast_file(path: Path) -> CastFile:
    """The character in this file. Raises `CastFileError` with every mistake in it."""
    name = path.name
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise _whole(name, "The file is larger than 2 MB.", "A character has room in far less; split it.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _whole(name, f"The file cannot be read ({error.strerror}).", "Check its path and rights.") from error
    except UnicodeDecodeError as error:
        raise _whole(name, "The file is not UTF-8.", "Save it as UTF-8.") from error
    return parse_cast_text(text, name)


def parse_cast_text(text: str, file: str = "cast file") -> CastFile:
    """The character in this YAML. Raises `CastFileError`; `file` names its origin in the problems."""
    lines: dict[_Path, int] = {}
    data = _Tree(file, lines).load(text)
    try:
        return CastFile.model_validate(data)
    except ValidationError as error:
        raise CastFileError(tuple(_problem(file, each, lines) for each in error.errors())) from None


def _whole(file: str, what: str, remedy: str) -> CastFileError:
    return CastFileError((Problem(file, 0, "file", what, remedy),))


class _Loader(yaml.BaseLoader):
    """Every scalar stays text, so that the cue `yes` is a word and no truth value."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "an alias (*name) is not allowed: write it out", mark)
        return super().compose_node(parent, index)


class _Tree:
    """YAML nodes as plain data, noting the line of every value."""

    def __init__(self, file: str, lines: dict[_Path, int]) -> None:
        self._file = file
        self._lines = lines

    def load(self, text: str) -> Any:
        try:
            root = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            raise self._broken(error) from None
        except (yaml.YAMLError, RecursionError) as error:
            raise _whole(self._file, f"This is no YAML ({error}).", "Check quotes and indentation.") from None
        if root is None:
            raise _whole(self._file, "The file is empty.", "docs/authoring.md shows what it holds.")
        return self._value(root, ())

    def _broken(self, error: yaml.MarkedYAMLError) -> CastFileError:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        remedy = "Put a line in double quotes if it begins with [ or {, holds `: ` or ` #`, or stands inside braces."
        return CastFileError((Problem(self._file, line, "file", f"This is no YAML: {error.problem}.", remedy),))

    def _value(self, node: Any, path: _Path) -> Any:
        self._lines[path] = node.start_mark.line + 1
        if len(path) > DEEPEST_NESTING:
            raise self._at(node, path, "The nesting is too deep.", "Flatten it.")
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, number)) for number, item in enumerate(node.value)]
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._at(key_node, path, "A key is no word.", "Put a line that begins with { in double quotes.")
            key = key_node.value
            if key in result:
                raise self._at(key_node, (*path, key), f"The key {key!r} stands here twice.", "Merge the two.")
            result[key] = self._value(value_node, (*path, key))
            self._lines[(*path, key)] = key_node.start_mark.line + 1
        return result

    def _at(self, node: Any, path: _Path, what: str, remedy: str) -> CastFileError:
        return CastFileError((Problem(self._file, node.start_mark.line + 1, _place(path), what, remedy),))


def _problem(file: str, error: ErrorDetails, lines: dict[_Path, int]) -> Problem:
    path = tuple(part for at, part in enumerate(error["loc"]) if not _is_tag(error["loc"], at))
    known = path
    while known and known not in lines:
        known = known[:-1]
    what, remedy = _say(error, path)
    return Problem(file, lines.get(known, 0), _place(path), what, remedy)


def _is_tag(loc: tuple[int | str, ...], at: int) -> bool:
    """Pydantic names the kind of an activity inside the path: `activities`, 2, `story`, ..."""
    return at == 2 and loc[0] == "activities" and loc[at] in KINDS


def _place(path: _Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "file"


def _say(error: ErrorDetails, path: _Path) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "cast":
        return str(context["what"]), str(context["remedy"])
    if kind == "missing":
        return "The key is missing.", f"Add `{path[-1]}:`."
    if kind == "extra_forbidden":
        return "The key is unknown here.", _nearest(error["loc"])
    if kind == "union_tag_not_found":
        return "The activity has no `kind`.", f"Add `kind:` with one of: {', '.join(KINDS)}."
    if kind == "union_tag_invalid":
        return f"{context.get('tag')!r} is no kind of activity.", f"Kinds: {', '.join(KINDS)}."
    if kind == "string_pattern_mismatch":
        return f"{error['input']!r} does not have the form wanted here.", f"It must match {context['pattern']}."
    if kind in ("model_type", "model_attributes_type"):
        return "A mapping is wanted here.", "Write `key: value` pairs."
    if kind == "string_type":
        remedy = "If the line begins with [ or { or holds a colon, put it in double quotes."
        return "Text is wanted here.", remedy
    if kind == "list_type":
        return "A list is wanted here.", "Write [one, two], or one item to a line after `- `."
    return f"{error['msg']}.", "docs/authoring.md says what stands here."


def _nearest(loc: tuple[int | str, ...]) -> str:
    known = sorted(_keys_at(loc[:-1]))
    close = difflib.get_close_matches(str(loc[-1]), known, 1)
    hint = f"Did you mean `{close[0]}`? " if close else ""
    return f"{hint}Known keys: {', '.join(known)}."


def _keys_at(loc: tuple[int | str, ...]) -> set[str]:
    """The keys of the model that `loc` leads to."""
    models: list[type[BaseModel]] = [CastFile]
    for part in loc:
        if isinstance(part, int):
            continue
        tagged = [model for model in models if part in _tags(model)]
        if tagged:
            models = tagged
            continue
        models = [found for model in models if part in model.model_fields for found in _models_in(model, str(part))]
    return {key for model in models for key in model.model_fields}


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    kind = model.model_fields.get("kind")
    return getattr(kind.annotation, "__args__", ()) if kind else ()


def _models_in(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    pending: list[Any] = [model.model_fields[field].annotation]
    found: list[type[BaseModel]] = []
    while pending:
        annotation = pending.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        else:
            pending.extend(getattr(annotation, "__args__", ()))
    return found
