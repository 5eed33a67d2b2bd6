import warnings
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from config.embedded import Sweep, Ticker
from config.web_server import serve_web
from sessions.dispatch import sweep

LEASE_SWEEP_S = 5.0


class Command(BaseCommand):
    help = "One web process of a deployment: pages and sockets. Workers, jobs and the database are elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--reuse-port", action="store_true", help="let several processes listen at the same address"
        )
        parser.add_argument(
            "--private-port", type=int, default=0, help="listen here too: the port of PROCESS_URL, with --reuse-port"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port, private_port = options["host"], options["port"], options["private_port"]
        for number in (port, private_port or port):
            if not 0 < number < 65536:
                raise CommandError(f"{number} is no port; choose one in 1..65535")
        # Django asks for asynchronous file iterators; these files are small.
        warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
        _check_migrated()
        ticker = Ticker([Sweep("leases", LEASE_SWEEP_S, sweep)])
        ticker.start()
        try:
            self._say(f"A web process of Troupe is at http://{host}:{port} - press Ctrl-C to stop.")
            serve_web(host, port, reuse_port=options["reuse_port"], private_port=private_port)
        except OSError as error:
            raise CommandError(f"{host}:{port} cannot be listened at: {error}") from error
        finally:
            ticker.stop()
        self._say("Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _check_migrated() -> None:
    """Several of these start at once, so none of them changes the database."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        raise CommandError(f"the database cannot be reached: {error}") from error
    finally:
        connection.close()
    if missing:
        raise CommandError(f"{len(missing)} migrations are missing; run `manage.py migrate` and `manage.py load_cast`")
