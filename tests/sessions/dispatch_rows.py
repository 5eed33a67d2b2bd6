"""Workers that announce themselves, sessions to be placed, and many who want something at the same moment."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import close_old_connections
from django.db.models.functions import Now

from accounts.visitors import Visitor
from characters.models import Character, CharacterVersion
from inference import client
from inference.client import Ticket
from inference.errors import WorkerUnavailable
from sessions import dispatch
from sessions.dispatch import Orders, WorkerReport
from sessions.models import Pulse, VoiceSession, WorkerNode
from sessions.services import session_begin, session_create, session_hold
from voices.models import StylePreset, Voice

LANE = "composed"


@pytest.fixture
def no_workers(transactional_db: None) -> Iterator[None]:
    """A database that threads share, without any worker; the one of the running server steps aside."""
    try:
        attached = client.connect()
    except WorkerUnavailable:
        attached = None
    client.attach(None)
    WorkerNode.objects.all().delete()
    Pulse.objects.all().delete()
    character()
    yield
    client.attach(attached)


def character() -> Character:
    """One that can be played, made without its sheet: dispatch looks at none."""
    found = Character.objects.filter(slug="placed").first()
    if found is not None:
        return found
    made = Character.objects.create(slug="placed", name_en="Placed")
    voice = Voice.objects.first() or Voice.objects.create(slug="v", title_en="V")
    style = StylePreset.objects.first() or StylePreset.objects.create(slug="s", title_en="S")
    made.current = CharacterVersion.objects.create(
        character=made, number=1, digest="0" * 64, sheet={}, voice=voice, style=style
    )
    made.save()
    return made


def new_session() -> VoiceSession:
    visitor = Visitor(guest_key=secrets.token_hex(16))
    return session_create(visitor=visitor, character=character(), origin="web")


def live_session(holder: str = "web-1") -> tuple[VoiceSession, int]:
    """Held by a process, and begun."""
    session = new_session()
    fence = session_hold(session_id=session.pk, holder=holder, url=f"http://{holder}")
    session_begin(session_id=session.pk, fence=fence)
    return session, fence


def report(name: str, *, slots: int = 4, leases: Iterable[str] = (), **more: Any) -> WorkerReport:
    leases = tuple(leases)
    values = {
        "id": name,
        "incarnation": "1",
        "url": f"ws://{name}:9100/stream",
        "lanes": (LANE,),
        "slots": slots,
        "slots_open": slots - len(leases),
        "in_use": len(leases),
        "clock": time.time(),
        "leases": leases,
    }
    return WorkerReport.model_validate(values | more)


def announce(name: str, **more: Any) -> Orders:
    return dispatch.worker_heartbeat(report(name, **more))


def reserve(session: VoiceSession | None = None, **more: Any) -> Ticket:
    session = session or new_session()
    values: dict[str, Any] = {"lane": LANE, "language": "en"}
    return dispatch.reserve(session_id=session.pk, **values | more)


def database_was_up_for(seconds: float) -> None:
    """As if somebody had been heard of all that time."""
    Pulse.objects.update_or_create(
        id=1, defaults={"beat_at": Now(), "steady_since": Now() - timedelta(seconds=seconds)}
    )


def all_at_once(work: Iterable[Callable[[], Any]]) -> list[Any]:
    """Each on a thread and a connection of its own, begun at the same moment: what each returned or raised."""
    jobs = list(work)
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        try:
            gate.wait(20)
            return job()
        except Exception as error:
            return error
        finally:
            close_old_connections()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))
