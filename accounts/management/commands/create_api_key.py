from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.services import TooManyApiKeys, api_key_create


class Command(BaseCommand):
    help = "Make an API key for a person and print it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--title", default="command line")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"nobody is called {options['username']!r}; make an account first")
        try:
            _row, key = api_key_create(user=user, title=options["title"])
        except TooManyApiKeys as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
