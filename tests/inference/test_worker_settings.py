"""A worker's settings: what is missing or wrong stops the start, by name and with a remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.worker.process.environment import SettingError
from inference.worker.process.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
KEY = "a key that web side and workers share"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("WORKER_", "INFERENCE_", "MOUTH", "VOICE_MODEL", "TROUPE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WORKER_KEY", KEY)


def test_with_a_key_alone_everything_has_a_default() -> None:
    settings = read_settings()
    assert (settings.listen.host, settings.listen.port, settings.slots, settings.drain_s) == (
        "127.0.0.1",
        9100,
        8,
        60.0,
    )
    assert (settings.webs, settings.url, settings.purpose) == ((), "", "live")
    assert not settings.lanes.echo_only and settings.lanes.voice_model is None and settings.lanes.mouth.packed is None
    assert settings.id


def test_what_is_set_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WORKER_ID": "gpu-1",
        "WORKER_LISTEN": "[::1]:9200",
        "WORKER_URL": "ws://10.0.0.5:9200/stream",
        "TROUPE_WEB": "http://10.0.0.1:8000, http://10.0.0.2:8000",
        "INFERENCE_SLOTS": "16",
        "INFERENCE_LANE": "echo",
        "MOUTH": "bundled",
        "MOUTH_PACKED": "int8",
        "VOICE_MODEL": "some/model",
        "VOICE_MODEL_SLOTS": "2",
        "TROUPE_VAR_DIR": "/srv/troupe",
    }.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert (settings.id, settings.listen.host, settings.listen.netloc) == ("gpu-1", "::1", "[::1]:9200")
    assert settings.webs == ("http://10.0.0.1:8000", "http://10.0.0.2:8000")
    assert (
        settings.lanes.echo_only and settings.lanes.mouth.choice == "bundled" and settings.lanes.mouth.packed == "int8"
    )
    assert settings.lanes.voice_model is not None and settings.lanes.voice_model.slots == 2
    assert settings.lanes.cache == Path("/srv/troupe/cache")


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("WORKER_KEY", "", "openssl rand"),
        ("WORKER_KEY", "short", "32 bytes"),
        ("WORKER_ID", "two words", "letters"),
        ("WORKER_LISTEN", "9100", "host:port"),
        ("WORKER_LISTEN", "127.0.0.1:99999", "host:port"),
        ("WORKER_LISTEN", "0.0.0.0:9100", "WORKER_URL"),
        ("WORKER_URL", "http://host:9100", "ws://host:port"),
        ("TROUPE_WEB", "10.0.0.1:8000", "http://host:port"),
        ("WORKER_PURPOSE", "fun", "batch, live"),
        ("WORKER_DRAIN_S", "-1", "0..7200"),
        ("INFERENCE_SLOTS", "none", "not a number"),
        ("INFERENCE_SLOTS", "1.5", "whole number"),
        ("INFERENCE_LANE", "duplex", "composed, echo"),
        ("MOUTH", "loud", "auto, bundled, espeak"),
        ("MOUTH_SLOTS", "0", "1..256"),
        ("MOUTH_PACKED", "int4", "bfloat16, float32, int8, none"),
        ("VOICE_MODEL_LANE", "choir", "auto, duplex, mouth, turn"),
        ("VOICE_MODEL_DEVICE", "tpu", "cpu, cuda"),
    ],
)
def test_what_makes_no_sense_is_named_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=remedy) as refused:
        read_settings()
    assert name in str(refused.value) and KEY not in str(refused.value)


def test_a_worker_that_cannot_start_says_why_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inference.worker"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "WORKER_KEY": "short"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("WORKER_KEY is shorter") and "Traceback" not in done.stderr
