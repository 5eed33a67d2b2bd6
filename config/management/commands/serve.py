import warnings
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.visitors import Visitor
from characters.casting import session_spec
from characters.selectors import character_list
from config.celery import app
from config.embedded import JobWorker, Sweep, Ticker, WarmUp
from config.mouth import configured_mouth
from config.voice_model import configured_voice_model
from config.web_server import serve_web
from inference.ears import default_ears
from inference.errors import InferenceError
from inference.protocol import Lane, SessionSpec
from inference.worker.default_lanes import default_lanes
from inference.worker.embedded import start_worker, stop_worker
from inference.worker.lanes import LaneOpener
from sessions.dispatch import sweep as sweep_leases
from sessions.dispatch.embedded import announce_embedded
from sessions.dispatch.terms import HEARTBEAT_S
from sessions.jobs.queue import jobs_sweep
from sessions.jobs.retention import transcripts_expire
from sessions.services import session_sweep
from voices.tasks import sweep_clips

JOB_SWEEP_S = 60.0
RETENTION_S = 86_400.0
SESSION_SWEEP_S = 300.0
LEASE_SWEEP_S = 5.0


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
        # The queue is in memory: what an earlier process was told is forgotten.
        sweep_clips(at_start=True)
        jobs_sweep(at_start=True)
        ticker = Ticker(
            [
                Sweep("clips", JOB_SWEEP_S, sweep_clips),
                Sweep("jobs", JOB_SWEEP_S, jobs_sweep),
                Sweep("sessions", SESSION_SWEEP_S, session_sweep),
                Sweep("retention", RETENTION_S, transcripts_expire),
            ]
        )
        # On a thread of its own: nothing that takes long shall make the worker look dead.
        heartbeat = Ticker(
            [Sweep("worker", HEARTBEAT_S, announce_embedded), Sweep("leases", LEASE_SWEEP_S, sweep_leases)]
        )
        warm_up = WarmUp(self._specs(), lanes[Lane.COMPOSED].prepare)
        for helper in (jobs, ticker, heartbeat, warm_up):
            helper.start()
        try:
            self._serve(host, port)
        finally:
            for helper in (warm_up, heartbeat, ticker, jobs):
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
        try:
            return lanes | configured_voice_model(ears)
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
        try:
            serve_web(host, port)
        except OSError as error:
            raise CommandError(f"{host}:{port} cannot be listened at: {error}") from error

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
