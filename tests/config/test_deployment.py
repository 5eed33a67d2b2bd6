"""The container files are run by nobody here: what they name must exist, and what they need must be there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "config" / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OWN = {name: service for name, service in SERVICES.items() if service["image"].startswith("troupe-")}

READ = re.compile(r"""(?:env|environment)\.\w+\(\s*["']([A-Z][A-Z0-9_]+)["']""")
THIRD_PARTY = {"OMP_NUM_THREADS", "FORWARDED_ALLOW_IPS"}
"""Read by torch and numpy, and by uvicorn."""


def _known_variables() -> set[str]:
    found = set(THIRD_PARTY)
    for folder in ("config", "inference/worker"):
        for path in (ROOT / folder).rglob("*.py"):
            found.update(READ.findall(path.read_text(encoding="utf-8")))
    return found


def _commands(service: dict[str, Any]) -> Iterator[list[str]]:
    command = service.get("command")
    if command and command[0] == "sh":
        yield from (part.split() for part in command[2].split("&&"))
    elif command:
        yield command


def test_every_service_of_the_deployment_is_there() -> None:
    assert {"postgres", "redis", "migrate", "web1", "web2", "worker1", "worker2", "beat", "proxy"} <= set(SERVICES)
    queues = [
        command[command.index("-Q") + 1] for each in OWN.values() for command in _commands(each) if "-Q" in command
    ]
    assert sorted(",".join(queues).split(",")) == ["default", "media", "render"]


@pytest.mark.parametrize("name", sorted(OWN))
def test_settings_of_a_service_are_ones_that_somebody_reads(name: str) -> None:
    unknown = set(OWN[name]["environment"]) - _known_variables()
    assert not unknown


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_service_starts_what_exists(name: str) -> None:
    for command in _commands(OWN[name]):
        if command[:2] == ["python", "manage.py"]:
            assert command[2] in get_commands()
        else:
            assert command[:3] == ["celery", "-A", "config"] and command[3] in ("worker", "beat")
    target = OWN[name]["build"]["target"]
    assert re.search(rf"^FROM \w+ AS {target}$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_starts_after_what_it_needs_and_is_given_time_to_stop(name: str) -> None:
    service = SERVICES[name]
    needs = service.get("depends_on", {})
    assert set(needs) <= set(SERVICES)
    for needed, how in needs.items() if isinstance(needs, dict) else []:
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[needed]["healthcheck"]
    if name != "migrate" and not service.get("healthcheck", {}).get("disable"):
        assert "stop_grace_period" in service


def test_containers_that_serve_are_asked_whether_they_live() -> None:
    for name in ("web", "worker"):
        stage = re.split(rf"^FROM \w+ AS {name}$", DOCKERFILE, flags=re.MULTILINE)[1].split("\nFROM ")[0]
        assert "HEALTHCHECK" in stage and "/healthz" in stage
        assert "USER troupe" in stage
    for name in ("postgres", "redis", "celery", "celery-render"):
        assert "test" in SERVICES[name]["healthcheck"]


def test_a_worker_is_stopped_no_sooner_than_its_calls_have_moved() -> None:
    for name in ("worker1", "worker2"):
        grace_s = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
        assert grace_s > int(SERVICES[name]["environment"]["WORKER_DRAIN_S"])


def test_every_address_between_services_names_one_that_is_there() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8") + (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    hosts = set(re.findall(r"(?:ws|http|redis|redis\+pubsub)://([a-z][a-z0-9-]+):\d+", text))
    hosts |= set(re.findall(r"@([a-z]+):5432", text))
    hosts |= set(re.findall(r"\b(web\d+):8000", text))
    assert {"postgres", "redis", "web1", "web2", "worker1", "worker2"} <= hosts <= set(SERVICES)


def test_files_that_are_brought_into_containers_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source


def test_every_variable_that_has_to_be_filled_in_stands_in_the_example() -> None:
    example = (DEPLOY / "troupe.env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert used == offered
    for name in ("SECRET_KEY", "WORKER_KEY", "METRICS_TOKEN", "POSTGRES_PASSWORD", "MIND_API_KEY"):
        assert re.search(rf"^{name}=$", example, re.MULTILINE), f"{name} has a value"


def test_the_image_holds_no_secret_and_nothing_that_was_written_here() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {"var", ".env", ".venv", ".git"} <= set(ignored)
    kept = [name for name, value in re.findall(r"\b([A-Z_]*(?:KEY|TOKEN|PASSWORD))=(\S+)", DOCKERFILE)]
    assert kept == ["SECRET_KEY"] and "ENV SECRET_KEY" not in DOCKERFILE and "ARG SECRET_KEY" not in DOCKERFILE


def test_the_outside_cannot_reach_what_is_between_processes() -> None:
    proxy = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert "path /internal/* /metrics /readyz" in proxy and "respond @inside 404" in proxy


def test_the_operations_page_tells_every_variable() -> None:
    told = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    missing = {name for name in _known_variables() if f"`{name}`" not in told}
    assert not missing
