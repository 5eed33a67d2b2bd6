from pathlib import Path

import pytest

from characters.cast_file import read_cast_file
from characters.services import character_load
from tests.live_server import LiveServer, troupe, troupe_server
from tests.sessions.dispatch_rows import no_workers
from tests.sessions.people import Person

__all__ = ["no_workers", "troupe", "troupe_server"]


@pytest.fixture
def house(troupe: LiveServer) -> LiveServer:
    """The running server with a character that says little."""
    character_load(cast=read_cast_file(Path(__file__).with_name("brief.yaml")))
    return troupe


@pytest.fixture
def alice(house: LiveServer) -> Person:
    """Has an account."""
    return Person(house, "alice")


@pytest.fixture
def bob(house: LiveServer) -> Person:
    """Has another."""
    return Person(house, "bob")


@pytest.fixture
def guest(house: LiveServer) -> Person:
    """Has none."""
    return Person(house)
