"""The README's main job as a stranger does it: serve, talk, stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scripts.served import ROOT, Served, served
from scripts.spoken import spoken

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="the flite program is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


def _question(path: Path, text: str) -> Path:
    pcm = (spoken(text, voice="slt", rate_hz=16_000) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(16_000)
        wav.writeframes(pcm.tobytes())
    return path


def _talk(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "scripts.talk", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)


def test_a_spoken_question_is_answered_aloud_and_written_down(server: Served, tmp_path: Path) -> None:
    question, out = _question(tmp_path / "question.wav", "What is your name?"), tmp_path / "out"
    done = _talk(
        "--character", "sidekick", "--wav", str(question), "--url", server.url, "--out", str(out), "--listen", "6"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((out / "talk.json").read_text(encoding="utf-8"))
    assert report["heard"] and report["answer"]
    assert report["errors"] == []
    assert report["latency_ms"]["first_audio"] > 0
    with wave.open(str(out / "answer.wav"), "rb") as wav:
        pcm = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.float32) / 32768
        assert wav.getframerate() == 24_000
    assert len(pcm) > 24_000
    assert np.sqrt((pcm**2).mean()) > 0.01, "the answer should be audible"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--character", "nobody"], "nobody"),
        (["--character", "sidekick", "--key", "tk_wrong"], "4401"),
    ],
)
def test_what_goes_wrong_is_said_plainly(server: Served, tmp_path: Path, arguments: list[str], complaint: str) -> None:
    question = _question(tmp_path / "question.wav", "hello")
    done = _talk(*arguments, "--wav", str(question), "--url", server.url, "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert complaint in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_without_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"RIFF")
    done = _talk("--character", "x", "--wav", str(tmp_path / "empty.wav"), "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "empty.wav" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_cleanly(number: signal.Signals) -> None:
    with served(INFERENCE_LANE="echo") as running:
        os.kill(running.pid, number)
        log = running.wait_for_exit()
    assert "Stopped." in log
    assert "Traceback" not in log


def test_a_port_that_is_none_is_named(tmp_path: Path) -> None:
    variables = os.environ | {"TROUPE_VAR_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1", "INFERENCE_LANE": "echo"}
    command = [sys.executable, "manage.py", "serve", "--port", "0"]
    bad = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert bad.returncode != 0 and "is no port" in bad.stderr
