"""`POST /internal/workers/heartbeat`: who may announce a worker, and what is answered."""

import json
import time
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from inference.client.stream_token import issue_announcement
from sessions import dispatch
from sessions.models import WorkerNode
from tests.sessions.dispatch_rows import report, reserve

pytestmark = pytest.mark.usefixtures("no_workers")

URL = "/internal/workers/heartbeat"


def _post(body: Any, *, worker: str = "w", key: str = "", clock: float | None = None) -> Any:
    token = issue_announcement(key or settings.WORKER_KEY, worker=worker, now_s=clock or time.time())
    text = body if isinstance(body, str) else json.dumps(body)
    return Client(enforce_csrf_checks=True).post(
        URL, text, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )


def _body(**more: Any) -> dict[str, Any]:
    return report("w").model_dump(mode="json") | more


def test_a_worker_announces_itself_and_is_told_what_to_do() -> None:
    answer = _post(_body())
    assert (answer.status_code, answer.json()) == (200, {"drain": False, "drop": []})
    assert "no-store" in answer["Cache-Control"]
    assert reserve().worker == "w"
    dispatch.drain(worker_id="w")
    stranger = "0" * 32
    assert _post(_body(leases=[stranger])).json() == {"drain": True, "drop": [stranger]}


def test_a_clock_that_is_a_minute_wrong_keeps_nobody_out() -> None:
    for skew_s in (-60, 60):
        clock = time.time() + skew_s
        assert _post(_body(clock=clock, incarnation=str(skew_s)), clock=clock).status_code == 200
        assert WorkerNode.objects.get().clock_offset_s == pytest.approx(skew_s, abs=2)


def test_only_the_worker_itself_announces_it() -> None:
    signed_by_nobody = {"Authorization": "Bearer x.y.z"}
    strangers = [
        _post(_body(), key="another key that is long enough to be one"),
        _post(_body(), worker="another"),
        _post(_body(), clock=time.time() - 3600),
        Client(enforce_csrf_checks=True).post(URL, json.dumps(_body()), content_type="application/json"),
        Client(enforce_csrf_checks=True).post(URL, "{}", content_type="application/json", headers=signed_by_nobody),
    ]
    assert [each.status_code for each in strangers] == [401] * len(strangers)
    assert not WorkerNode.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slots", -1),
        ("slots_open", "many"),
        ("url", "http://w:9100/"),
        ("url", "embedded:"),
        ("clock", float("nan")),
        ("leases", None),
        ("leases", ["not-a-lease"]),
        ("leases", ["0" * 32] * 5000),
        ("lanes", "composed"),
        ("late_share", 2),
        ("id", ""),
    ],
)
def test_a_report_that_makes_no_sense_is_answered_in_words(field: str, value: Any) -> None:
    answer = _post(_body(**{field: value}), worker=value if field == "id" else "w")
    assert answer.status_code in (400, 401)
    assert answer.json()["error"]["message"]
    assert not WorkerNode.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", "{", "\x00", '{"id": "w"}', "9" * 250_000])
def test_bytes_that_are_no_report_are_refused(body: str) -> None:
    assert _post(body).status_code == 400


def test_a_newer_worker_may_say_more() -> None:
    assert _post(_body(gpu="big")).status_code == 200


def test_nobody_reads_it() -> None:
    assert Client().get(URL).status_code == 405
