import io
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from characters.casting import session_spec
from characters.models import Character, CharacterVersion
from characters.sheet import sheet_of
from inference.protocol import TurnTaking
from voices.models import Clip

pytestmark = pytest.mark.django_db
CAST = Path(__file__).resolve().parents[2] / "characters" / "cast"


@pytest.fixture
def cast() -> None:
    call_command("load_cast", stdout=io.StringIO())


def test_every_cast_file_becomes_a_character_one_can_talk_with(cast: None) -> None:
    assert Character.objects.count() == len(list(CAST.glob("*.yaml"))) >= 7
    for character in Character.objects.all():
        assert character.current is not None
        spec = session_spec(character.current, session_id="test")
        assert spec.voice.slug == character.current.voice.slug
        assert len(spec.ears.phrases) > 100
        assert character.name_zh
        assert (CAST.parents[1] / "static" / "portraits" / character.portrait).exists()


def test_loading_again_makes_no_new_version_and_a_changed_file_does(cast: None, tmp_path: Path) -> None:
    before = CharacterVersion.objects.count()
    call_command("load_cast", stdout=io.StringIO())
    assert CharacterVersion.objects.count() == before
    text = (CAST / "storyteller.yaml").read_text(encoding="utf-8")
    changed = tmp_path / "storyteller.yaml"
    changed.write_text(text.replace("order: 2", "order: 99"), encoding="utf-8")
    call_command("load_cast", str(changed), stdout=io.StringIO())
    storyteller = Character.objects.get(slug="storyteller")
    assert storyteller.current is not None
    assert (storyteller.current.number, storyteller.order) == (2, 99)
    assert sheet_of(storyteller.versions.get(number=1)).order == 2


def test_a_bad_file_is_reported_and_leaves_the_others_alone(cast: None, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.yaml", CAST / "drama.yaml"
    text = (CAST / "storyteller.yaml").read_text(encoding="utf-8")
    bad.write_text(text.replace("voice: hearth", "voice: nobodys"), encoding="utf-8")
    errors = io.StringIO()
    with pytest.raises(CommandError, match="1 of 2"):
        call_command("load_cast", str(bad), str(good), stdout=io.StringIO(), stderr=errors)
    assert "nobodys" in errors.getvalue()
    assert Character.objects.get(slug="storyteller").current.voice.slug == "hearth"  # type: ignore[union-attr]


def test_a_sample_waits_to_be_rendered_for_every_character(cast: None) -> None:
    assert Clip.objects.filter(state=Clip.State.PENDING).count() == Character.objects.count()
    assert all(character.sample_url == "" for character in Character.objects.all())


def test_manners_differ_between_characters(cast: None) -> None:
    profiles = {
        character.slug: sheet_of(character.current).turn_taking_profile()
        for character in Character.objects.all()
        if character.current
    }
    assert profiles["whisper"].silence_prompt_s > TurnTaking().silence_prompt_s
    assert profiles["english-tutor"].patience_s > TurnTaking().patience_s
    assert len(set(profiles.values())) > 3


def test_an_unpublished_character_has_no_page_and_cannot_be_called(cast: None) -> None:
    Character.objects.filter(slug="drama").update(published=False)
    client = Client()
    assert client.get("/characters/drama/").status_code == 404
    assert client.get("/characters/drama/talk/").status_code == 404
    assert b"/characters/drama/" not in client.get("/").content
    assert client.get("/characters/sidekick/talk/").status_code == 200


@pytest.mark.parametrize("path", ["characters/character", "characters/characterversion", "voices/voice", "voices/clip"])
def test_the_admin_shows_the_cast(cast: None, admin_client: Client, path: str) -> None:
    page = admin_client.get(f"/admin/{path}/")
    assert page.status_code == 200
    assert "unsafe-eval" in page.headers["Content-Security-Policy"]
    app, model = path.split("/")
    row = apps.get_model(app, model)._default_manager.earliest("pk")
    assert admin_client.get(f"/admin/{path}/{row.pk}/change/").status_code == 200


def test_the_sites_own_pages_allow_no_inline_script(cast: None) -> None:
    policy = Client().get("/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
