#!/usr/bin/env python3
"""Check every cast file and say what it holds. Exit status 1 when any has a mistake.

scripts/check_cast.py [FILE ...]       (default: every file in characters/cast/)
"""

import argparse
import sys
from pathlib import Path

import yaml

HOUSE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOUSE))

from characters.cast_file import CastFile, CastFileError, Review, read_cast_file, review  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description="Check cast files (docs/authoring.md).")
    parser.add_argument("files", nargs="*", type=Path, help="cast files; default characters/cast/*.yaml")
    parser.add_argument("--quiet", action="store_true", help="mistakes only, no warnings and counts")
    options = parser.parse_args()
    paths = options.files or sorted((HOUSE / "characters" / "cast").glob("*.yaml"))
    if not paths:
        print("no cast files found")
        return 1
    library = _library_slugs()
    mistakes = 0
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            cast = read_cast_file(path)
        except CastFileError as error:
            mistakes += len(error.problems)
            print("\n".join(str(problem) for problem in error.problems))
            continue
        found = review(cast)
        problems = _against_the_house(path, cast, found, library)
        if cast.slug in seen:
            problems.append(f"{path.name}: slug: {cast.slug!r} is also used by {seen[cast.slug].name}. Rename one.")
        seen[cast.slug] = path
        mistakes += len(problems)
        print("\n".join(problems), end="\n" if problems else "")
        if not options.quiet:
            _report(path, cast, found)
    print(f"{len(paths)} files, {mistakes} mistakes")
    return 1 if mistakes else 0


def _report(path: Path, cast: CastFile, found: Review) -> None:
    print(f"{path.name}: {cast.name.en} ({cast.slug})")
    print(f"  {found.replies} replies, {found.cues} cues, {found.lines} lines, {found.minutes:.1f} minutes of speech")
    for kind, slug, minutes in found.activities:
        print(f"  {kind:7} {slug:28} {minutes:5.1f} min")
    for warning in found.warnings:
        print(f"  warning: {warning}")


def _library_slugs() -> tuple[set[str], set[str]] | None:
    """Voice and style slugs of voices/library.yaml; None while there is no such file."""
    path = HOUSE / "voices" / "library.yaml"
    if not path.exists():
        return None
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _slugs(data.get("voices", [])), _slugs(data.get("styles", data.get("presets", [])))


def _slugs(entries: dict[str, object] | list[dict[str, str]]) -> set[str]:
    return set(entries) if isinstance(entries, dict) else {entry["slug"] for entry in entries}


def _against_the_house(
    path: Path, cast: CastFile, found: Review, library: tuple[set[str], set[str]] | None
) -> list[str]:
    problems = []
    if not (HOUSE / "static" / "portraits" / cast.portrait).exists():
        problems.append(f"{path.name}: portrait: static/portraits/{cast.portrait} does not exist. Draw it.")
    if library is None:
        return problems
    for what, used, known in (("voice", found.voices, library[0]), ("style", found.styles, library[1])):
        for slug in sorted(used - known):
            problems.append(
                f"{path.name}: {what}: {slug!r} is not in voices/library.yaml. Known: {', '.join(sorted(known))}."
            )
    return problems


if __name__ == "__main__":
    sys.exit(main())
