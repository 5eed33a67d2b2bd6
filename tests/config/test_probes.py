"""What load balancers and Prometheus ask of a web process."""

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import override_settings

from config import metrics, readiness
from config.asgi import application
from config.probes import Probes
from sessions.live.figures import answered
from sessions.live.registry import LiveSessions

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "t" * 40


async def _not_found(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


@pytest.fixture
def probes() -> Probes:
    return Probes(_not_found)


async def _get(app: Any, path: str, *, address: str = "127.0.0.1", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=(address, 1234))
    # Probes ask by address: this is no host name of the site.
    async with httpx.AsyncClient(transport=transport, base_url="http://10.1.2.3:8000") as client:
        return await client.get(path, headers=headers)


async def test_the_application_answers_by_address_and_passes_everything_else_on(probes: Probes) -> None:
    health = await _get(application, "/healthz")
    assert (health.status_code, health.json()) == (200, {"alive": True})
    assert (await _get(application, "/")).status_code == 400, "Django knows its hosts"
    assert (await _get(probes, "/other")).text == "inside"


async def test_a_process_with_everything_is_ready_and_says_what_it_knows(probes: Probes) -> None:
    ready = await _get(probes, "/readyz")
    assert ready.status_code == 200, ready.text
    assert ready.json() == {"ready": True, "missing": {}, "capacity": {"workers": 0, "slots": 0, "slots_open": 0}}


async def test_a_draining_process_is_not_ready(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = LiveSessions()
    monkeypatch.setattr(readiness, "live_sessions", sessions)
    await sessions.drain()
    answer = await _get(probes, "/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (503, {"process": "draining"})
    assert (await _get(probes, "/healthz")).status_code == 200


async def test_a_channel_layer_that_cannot_be_reached_is_named_and_can_be_left_out(probes: Probes) -> None:
    away = {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [away_url()]}}}
    with override_settings(CHANNEL_LAYERS=away):
        answer = await _get(probes, "/readyz")
        assert answer.status_code == 503
        assert list(answer.json()["missing"]) == ["channel_layer"]
        assert (await _get(probes, "/readyz?exclude=channel_layer")).status_code == 200
    assert (await _get(probes, "/readyz?exclude=everything")).status_code == 400


def away_url() -> str:
    return "redis://127.0.0.1:9/0"


async def test_a_migration_that_is_not_applied_is_counted(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_num_migrations_waiting", lambda: 2)
    assert (await _get(probes, "/readyz")).json()["missing"] == {
        "migrations": "2 are not applied; run `manage.py migrate`"
    }
    monkeypatch.undo()
    assert (await _get(probes, "/readyz")).status_code == 200


async def test_a_database_that_hangs_costs_a_limited_time_and_is_named(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(readiness, "LIMIT_S", 0.2)
    monkeypatch.setattr(readiness, "_select_one", lambda: release.wait(20))
    try:
        async with asyncio.timeout(5):
            answer = await _get(probes, "/readyz")
        assert answer.json()["missing"] == {"database": "no answer within 0.2 s"}
    finally:
        release.set()


async def test_metrics_name_every_figure_of_process_and_deployment(probes: Probes) -> None:
    answered(
        {"turn_decided": 250.0, "transcript_ready": 260.0, "first_words": 270.0, "first_audio": 300.0, "sent": 301}
    )
    answer = await _get(probes, "/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    for stage in ("turn_decided", "transcript_ready", "first_words", "first_audio", "sent"):
        assert f'troupe_answer_stage_seconds_count{{stage="{stage}"}}' in answer.text
    for name in (
        "troupe_sessions_live",
        "troupe_sockets",
        "troupe_takeovers_total",
        "troupe_fenced_writes_total",
        "troupe_journal_backlog",
        "troupe_slots_open",
        'troupe_leases{state="live"}',
        "troupe_database_up 1.0",
        "process_resident_memory_bytes",
        "process_open_fds",
    ):
        assert f"\n{name}" in answer.text, name


async def test_without_the_database_the_figures_of_the_process_are_still_told(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    monkeypatch.setattr(metrics.dispatch, "capacity", away)
    answer = await _get(probes, "/metrics")
    assert answer.status_code == 200
    assert "troupe_database_up 0.0" in answer.text and "troupe_sessions_live" in answer.text


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("192.0.2.7", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("192.0.2.7", {"Authorization": "Bearer guess"}, 403),
        # Through a proxy of the same machine, everybody's address is that of the proxy.
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9", "Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
async def test_metrics_are_for_those_who_may_read_them(
    probes: Probes, settings: Any, address: str, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = await _get(probes, "/metrics", address=address, **headers)
    assert answer.status_code == status
    assert status == 200 or "METRICS_TOKEN" in json.loads(answer.content)["error"]


async def test_without_a_token_set_none_is_accepted(probes: Probes) -> None:
    assert (await _get(probes, "/metrics", address="192.0.2.7", Authorization="Bearer ")).status_code == 403
