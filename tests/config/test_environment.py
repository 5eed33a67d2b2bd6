"""Settings from the environment: sense is taken, nonsense stops the start and says what to write."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _start(
    tmp_path: Path, *, command: Sequence[str] = ("check",), **variables: str
) -> "subprocess.CompletedProcess[str]":
    environment = (
        os.environ | {"TROUPE_VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"} | variables
    )
    argv = [sys.executable, "manage.py", *command]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DEBUG", "perhaps", "use 1 or 0"),
        ("INFERENCE_SLOTS", "many", "is not a number"),
        ("INFERENCE_SLOTS", "0", "must lie in 1..1024"),
        ("GUEST_SECONDS_PER_DAY", "2.5", "must be a whole number"),
        ("INFERENCE_LANE", "fast", "must be one of"),
        ("MOUTH", "loud", "must be one of auto, bundled, espeak"),
        ("MOUTH_SLOTS", "0", "must lie in 1..256"),
        ("MOUTH_PACKED", "int4", "must be one of"),
        ("VOICE_MODEL_LANE", "echo", "must be one of"),
        ("VOICE_MODEL_SLOTS", "0", "must lie in 1..256"),
        ("MIND_TIMEOUT_S", "-1", "must lie in"),
        ("WORKER_KEY", "too-short", "shorter than 32 bytes"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(tmp_path: Path, name: str, value: str, remedy: str) -> None:
    done = _start(tmp_path, **{name: value})
    assert done.returncode != 0
    assert name in done.stderr
    assert remedy in done.stderr


def test_a_secret_that_is_refused_is_not_shown(tmp_path: Path) -> None:
    assert "hunter2" not in _start(tmp_path, WORKER_KEY="hunter2").stderr


def test_a_web_process_changes_no_database_and_says_what_it_misses(tmp_path: Path) -> None:
    done = _start(tmp_path, command=["web", "--port", "1"])
    assert done.returncode != 0
    assert "migrations are missing; run `manage.py migrate`" in done.stderr


def test_the_embedded_default_needs_no_variable(tmp_path: Path) -> None:
    done = _start(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_the_secret_key_is_made_once_and_kept(tmp_path: Path) -> None:
    _start(tmp_path)
    key = (tmp_path / "secret_key").read_text()
    _start(tmp_path)
    assert (tmp_path / "secret_key").read_text() == key
    assert len(key) >= 40
