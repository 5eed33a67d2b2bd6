from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from characters.cast_file import CastFileError, read_cast_file
from characters.services import CastMismatch, character_load
from voices.library import LibraryError, read_library
from voices.services import library_load

CAST_DIR = Path(__file__).resolve().parents[2] / "cast"


class Command(BaseCommand):
    help = "Load voices/library.yaml and every cast file. What is loaded already stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, help="cast files; default: all of characters/cast/")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            created, changed = library_load(library=read_library())
        except LibraryError as error:
            raise CommandError(str(error)) from error
        if created or changed:
            self.stdout.write(f"  voices and styles: {created} new, {changed} changed")
        files = options["files"] or sorted(CAST_DIR.glob("*.yaml"))
        failed = [path for path in files if not self._load(path)]
        if failed:
            # The others are loaded: one author's mistake closes no one else's page.
            raise CommandError(f"{len(failed)} of {len(files)} cast files were not loaded")

    def _load(self, path: Path) -> bool:
        try:
            character, new_version = character_load(cast=read_cast_file(path))
        except (CastFileError, CastMismatch) as error:
            self.stderr.write(str(error))
            return False
        if new_version:
            self.stdout.write(f"  {character.slug}: version {character.current.number if character.current else 0}")
        return True
