"""Runs the unit tests of the page's modules, which stand in `js/`, with Node's own test runner."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("js")
OLDEST_NODE = (20, 19)
"""The first that tells a module from a script without being told."""


def _node_version() -> tuple[int, int] | None:
    node = shutil.which("node")
    if node is None:
        return None
    found = re.match(
        r"v(\d+)\.(\d+)", subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    )
    return (int(found[1]), int(found[2])) if found else None


@pytest.mark.skipif((_node_version() or (0, 0)) < OLDEST_NODE, reason="no Node of 20.19 or later is installed")
def test_the_modules_of_the_page_keep_their_promises() -> None:
    files = sorted(str(path) for path in TESTS.glob("*.test.mjs"))
    assert files
    done = subprocess.run(["node", "--test", *files], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
