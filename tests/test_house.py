"""Facts about the architecture that import contracts alone cannot see."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["accounts", "characters", "config", "inference", "sessions", "voices"]
GIVEN = {"manage.py", "pyproject.toml", "characters", "voices", "sessions", "inference", "templates", "tests"}
BESIDE = {"config", "accounts", "billing", "static", "docs", "scripts"}


def _modules_loaded_by(statement: str) -> set[str]:
    """Top-level modules a fresh interpreter holds after this statement."""
    program = f"{statement}\nimport sys\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_asgi_application_loads_without_torch() -> None:
    loaded = _modules_loaded_by(
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; import config.asgi"
    )
    assert "django" in loaded
    assert not loaded & {"torch", "transformers", "scipy", "pocketsphinx"}


@pytest.mark.parametrize(
    "module", ["inference.worker.__main__", "inference.worker.embedded", "inference.ears", "inference.mouth"]
)
def test_the_worker_loads_without_django(module: str) -> None:
    loaded = _modules_loaded_by(f"import {module}")
    assert not loaded & {"django", "channels", "celery"}


def test_the_doors_of_inference_need_only_the_standard_library() -> None:
    loaded = _modules_loaded_by("import inference.protocol, inference.client, inference.errors")
    assert not loaded & {"numpy", "torch", "django", "pydantic"}


def test_nothing_else_stands_at_the_top_level() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    folders = {line.split("/")[0] for line in tracked.splitlines() if "/" in line}
    assert folders - GIVEN - BESIDE <= {".ci"}


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_has_a_drawer_for_everything(room: str) -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "misc.py", "core.py"}
    assert not [path for path in (ROOT / room).rglob("*.py") if path.name in drawers]


def test_no_file_grows_beyond_one_noun() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 420
    }
    assert not long, f"split these: {long}"


def test_no_transcript_reaches_a_log_line() -> None:
    """Log calls take codes, counts and ids; a variable named after what people say does not belong there."""
    personal = re.compile(r"log(?:ger)?\.\w+\([^)]*\b(text|transcript|words|persona|lyrics|heard_text|full_text)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if personal.search(line)
    ]
    assert not found
