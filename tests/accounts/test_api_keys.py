import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts.models import ApiKey, User
from accounts.selectors import api_key_user
from accounts.services import MAX_API_KEYS, api_key_create

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob", password=PASSWORD)


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_key_opens_for_its_owner_and_is_stored_only_as_a_digest(alice: User) -> None:
    _row, key = api_key_create(user=alice, title="laptop")
    assert api_key_user(key) == alice
    assert not ApiKey.objects.filter(digest__contains=key).exists()
    assert api_key_user(key + "x") is None


def test_the_account_page_shows_a_new_key_once(alice: User) -> None:
    client = _signed_in(alice)
    page = client.post("/accounts/", {"title": "laptop"}).content.decode()
    row = ApiKey.objects.get(user=alice)
    assert row.prefix in page
    again = client.get("/accounts/").content.decode()
    assert "laptop" in again
    shown = next(
        word
        for word in page.replace("<", " ").replace(">", " ").replace('"', " ").split()
        if word.startswith("tk_") and len(word) > 20
    )
    assert api_key_user(shown) == alice
    assert shown not in again


def test_a_revoked_key_opens_nothing(alice: User) -> None:
    row, key = api_key_create(user=alice, title="lost phone")
    _signed_in(alice).post(f"/accounts/keys/{row.pk}/revoke/")
    assert api_key_user(key) is None


def test_nobody_revokes_the_key_of_another(alice: User, bob: User) -> None:
    row, key = api_key_create(user=alice, title="mine")
    _signed_in(bob).post(f"/accounts/keys/{row.pk}/revoke/")
    assert api_key_user(key) == alice


def test_a_key_of_a_person_who_may_not_sign_in_opens_nothing(alice: User) -> None:
    _row, key = api_key_create(user=alice, title="old")
    alice.is_active = False
    alice.save()
    assert api_key_user(key) is None


def test_more_keys_than_anyone_needs_are_refused_with_a_remedy(alice: User) -> None:
    for _ in range(MAX_API_KEYS):
        api_key_create(user=alice, title="one more")
    page = _signed_in(alice).post("/accounts/", {"title": "too many"}).content.decode()
    assert "revoke a key first" in page


def test_the_account_page_is_for_people_with_an_account() -> None:
    assert Client().get("/accounts/").status_code == 302


def test_a_newcomer_signs_up_and_is_signed_in() -> None:
    client = Client()
    answer = client.post(
        "/accounts/signup/", {"username": "charlie", "email": "", "password1": PASSWORD, "password2": PASSWORD}
    )
    assert answer.status_code == 302
    assert client.get("/accounts/").status_code == 200


def test_a_weak_password_is_refused_and_says_why() -> None:
    page = Client().post("/accounts/signup/", {"username": "charlie", "password1": "123", "password2": "123"})
    assert "at least 10 characters" in page.content.decode()
    assert not User.objects.filter(username="charlie").exists()


def test_the_command_makes_a_key_that_works(alice: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "alice")
    assert api_key_user(capsys.readouterr().out.strip()) == alice


def test_the_command_says_when_nobody_has_that_name() -> None:
    with pytest.raises(CommandError, match="nobody is called 'nemo'"):
        call_command("create_api_key", "nemo")
