"""The operations page: what an operator sees and may do."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.visitors import Visitor
from characters.cast_file import read_cast_file
from characters.models import Character
from characters.services import character_load
from sessions.models import Lease, VoiceSession, WorkerNode
from sessions.services import session_begin, session_create, turn_record
from voices.library import read_library
from voices.services import library_load

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/operations/"


@pytest.fixture
def person() -> Callable[..., Client]:
    def made(*, staff: bool = True, operate: bool = True) -> Client:
        user = User.objects.create_user(f"person-{User.objects.count()}", is_staff=staff)
        if operate:
            user.user_permissions.add(Permission.objects.get(codename="operate"))
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        return client

    return made


@pytest.fixture
def worker() -> WorkerNode:
    now = timezone.now()
    return WorkerNode.objects.create(
        id="gpu-7",
        incarnation="a",
        url="ws://gpu-7:9100/stream",
        version="1.2.3",
        lanes=["composed"],
        languages=["*"],
        slots=8,
        slots_open=7,
        in_use=1,
        tick_p99_ms=12.3,
        started_at=now,
        heartbeat_at=now,
    )


@pytest.fixture
def call(worker: WorkerNode) -> VoiceSession:
    library_load(library=read_library())
    character_load(cast=read_cast_file(Path(__file__).with_name("brief.yaml")))
    character = Character.objects.get(slug="brief")
    session = session_create(visitor=Visitor(guest_key="g" * 64), character=character, origin="web")
    session_begin(session_id=session.pk)
    VoiceSession.objects.filter(pk=session.pk).update(holder="web-3", summary="A secret.")
    fields = {"item_id": "i", "speaker": "user", "text": "my secret", "started_ms": 0, "ended_ms": 900}
    turn_record(session_id=session.pk, index=1, fields=fields)
    now = timezone.now()
    Lease.objects.create(
        session=session,
        worker=worker,
        fence=1,
        state="live",
        reported=True,
        reserved_at=now,
        expires_at=now + timedelta(minutes=1),
    )
    return session


def _post(client: Client, **fields: str) -> int:
    client.get(URL)
    token = client.cookies["csrftoken"].value
    return client.post(URL, {"csrfmiddlewaretoken": token, **fields}).status_code


def test_the_board_shows_workers_and_calls_and_never_what_is_said(
    person: Callable[..., Client], call: VoiceSession
) -> None:
    page = person().get(URL).content.decode()
    for shown in ("gpu-7", "1.2.3", "12.3", "ready", str(call.pk), "Brief", "web-3", "7 of 8 slots are open"):
        assert shown in page, shown
    assert "secret" not in page


def test_the_page_needs_no_inline_script(person: Callable[..., Client], call: VoiceSession) -> None:
    page = person().get(URL).content.decode()
    board = page[page.index('id="operations"') :]
    assert "onclick" not in board and "js/operations.js" in page


@pytest.mark.parametrize(("staff", "operate", "status"), [(True, False, 403), (False, True, 302), (True, True, 200)])
def test_only_staff_who_may_operate_see_it(
    person: Callable[..., Client], staff: bool, operate: bool, status: int
) -> None:
    assert person(staff=staff, operate=operate).get(URL).status_code == status


def test_who_may_not_operate_can_change_nothing(person: Callable[..., Client], worker: WorkerNode) -> None:
    client = person(operate=False)
    client.get("/admin/")
    token = "c" * 32
    client.cookies["csrftoken"] = token
    answer = client.post(URL, {"csrfmiddlewaretoken": token, "action": "drain", "worker": worker.pk})
    worker.refresh_from_db()
    assert answer.status_code == 403 and not worker.drain_requested


def test_a_post_without_the_token_is_refused(person: Callable[..., Client], worker: WorkerNode) -> None:
    answer = person().post(URL, {"action": "drain", "worker": worker.pk})
    worker.refresh_from_db()
    assert answer.status_code == 403 and not worker.drain_requested


def test_a_worker_is_drained_and_taken_back_and_both_are_noted(
    person: Callable[..., Client], worker: WorkerNode
) -> None:
    client = person()
    assert _post(client, action="drain", worker=worker.pk) == 302
    worker.refresh_from_db()
    assert worker.drain_requested
    assert "asked to drain" in client.get(URL).content.decode()
    assert _post(client, action="undrain", worker=worker.pk) == 302
    worker.refresh_from_db()
    assert not worker.drain_requested
    assert [entry.object_id for entry in LogEntry.objects.all()] == [worker.pk, worker.pk]


def test_a_call_is_ended_by_its_holder_and_that_is_noted(person: Callable[..., Client], call: VoiceSession) -> None:
    client = person()
    assert _post(client, action="end", session=str(call.pk)) == 302
    call.refresh_from_db()
    assert call.end_requested_at is not None
    assert "is being ended" in client.get(URL).content.decode()
    assert LogEntry.objects.get().object_id == str(call.pk)


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "explode"},
        {"action": "drain", "worker": "nobody"},
        {"action": "end", "session": "no-id"},
        {"action": "end", "session": "00000000-0000-0000-0000-000000000000"},
    ],
)
def test_what_is_not_there_cannot_be_acted_upon(person: Callable[..., Client], fields: dict[str, str]) -> None:
    assert _post(person(), **fields) == 302
    assert not LogEntry.objects.exists()


def test_a_worker_not_heard_of_is_shown_as_silent(person: Callable[..., Client], worker: WorkerNode) -> None:
    WorkerNode.objects.filter(pk=worker.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=30))
    page = person().get(URL).content.decode()
    assert "silent" in page and "0 of 0 slots are open" in page


def test_the_side_bar_leads_to_what_one_may_see(person: Callable[..., Client]) -> None:
    assert URL in person().get("/admin/").content.decode()
    assert URL not in person(operate=False).get("/admin/").content.decode()
