import asyncio
import contextlib
import warnings
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.visitors import Visitor
from characters.casting import session_spec
from characters.selectors import character_list
from config.celery import app
from config.embedded import JobWorker, Sweep, Ticker, WarmUp
from config.mouth import configured_mouth
from inference.ears import default_ears
from inference.errors import InferenceError
from inference.protocol import Lane, SessionSpec
from inference.worker.default_lanes import default_lanes
from inference.worker.embedded import start_worker, stop_worker
from inference.worker.lanes import LaneOpener
from sessions.live.registry import drain
from sessions.services import session_sweep
from voices.tasks import sweep_clips

SOCKET_BYTES_MAX = 1_500_000
DRAIN_TIMEOUT_S = 5.0
CLIP_SWEEP_S = 60.0
SESSION_SWEEP_S = 300.0


class Server(uvicorn.Server):
    """uvicorn, but it says goodbye to live calls before it closes their sockets."""

    async def shutdown(self, sockets: Any = None) -> None:
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await drain()
        except TimeoutError:
            pass
        await super().shutdown(sockets)


class Command(BaseCommand):
    help = "The whole product in one process: pages, sockets, an inference worker, jobs. No service needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        if not 0 < port < 65536:
            raise CommandError(f"--port {port} is no port; choose one in 1..65535")
        # Django asks for asynchronous file iterators; these files are small.
        warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
        lanes = self._lanes()
        self._say("Preparing the database ...")
        call_command("migrate", verbosity=0, interactive=False)
        self._say("Loading the cast ...")
        call_command("load_cast", stdout=self.stdout, stderr=self.stderr)
        session_sweep()
        self._say("Starting the inference worker ...")
        worker = start_worker(lanes, slots=settings.INFERENCE_SLOTS)
        jobs = JobWorker(app)
        ticker = Ticker([Sweep("clips", CLIP_SWEEP_S, sweep_clips), Sweep("sessions", SESSION_SWEEP_S, session_sweep)])
        warm_up = WarmUp(self._specs(), lanes[Lane.COMPOSED].prepare)
        for helper in (jobs, ticker, warm_up):
            helper.start()
        try:
            self._serve(host, port)
        finally:
            for helper in (warm_up, ticker, jobs):
                helper.stop()
            stop_worker(worker)
            self._say("Stopped.")

    def _lanes(self) -> dict[Lane, LaneOpener]:
        ears = default_ears(settings.VAR_DIR / "cache")
        try:
            lanes = default_lanes(ears=ears, mouth=configured_mouth())
        except InferenceError as error:
            raise CommandError(f"MOUTH={settings.MOUTH}: {error}") from error
        if not settings.VOICE_MODEL:
            return lanes
        self._say("Loading the voice model ...")
        # Only here, because it brings torch, which nothing else of the embedded default needs.
        from config.voice_model import voice_model_lanes

        try:
            return lanes | voice_model_lanes(ears)
        except InferenceError as error:
            raise CommandError(f"VOICE_MODEL={settings.VOICE_MODEL}: {error}") from error

    def _specs(self) -> list[SessionSpec]:
        """What calls with each character of the catalogue begin with; an echo needs nothing of them."""
        if settings.INFERENCE_LANE == Lane.ECHO:
            return []
        listed = character_list(visitor=Visitor())
        return [session_spec(each.current, session_id="warm-up") for each in listed if each.current is not None]

    def _serve(self, host: str, port: int) -> None:
        self._say(f"Troupe is at http://{host}:{port} - press Ctrl-C to stop.")
        config = uvicorn.Config(
            "config.asgi:application",
            host=host,
            port=port,
            log_level="warning",
            # PCM does not compress, and each context would cost memory.
            ws_per_message_deflate=False,
            ws_max_size=SOCKET_BYTES_MAX,
            timeout_graceful_shutdown=int(DRAIN_TIMEOUT_S),
        )
        # uvicorn raises the signal again once it has shut down; by then everything is said.
        with contextlib.suppress(KeyboardInterrupt):
            Server(config).run()

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
