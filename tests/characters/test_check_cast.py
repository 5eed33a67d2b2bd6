"""The script authors run over their files."""

import subprocess
import sys
from pathlib import Path

from tests.characters.sample_cast import CAST_YAML

HOUSE = Path(__file__).resolve().parents[2]


def check(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HOUSE / "scripts" / "check_cast.py"), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_broken_file_makes_it_fail_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(CAST_YAML.replace("order: 2", "order: two"), encoding="utf-8")
    result = check(path)
    assert result.returncode == 1
    assert "broken.yaml:9: order" in result.stdout


def test_a_voice_outside_the_library_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "lamp.yaml"
    path.write_text(CAST_YAML.replace("voice: salt", "voice: nobody"), encoding="utf-8")
    result = check(path)
    assert result.returncode == 1
    assert "'nobody' is not in voices/library.yaml" in result.stdout
    assert "12 replies" in result.stdout
