"""Stream tokens and the workers' own: for whom, how long, signed by whom."""

import jwt
import pytest

from inference.client.stream_token import Claims, issue, issue_announcement, read, read_announcement
from inference.errors import TokenRefused

KEY = "a key that web side and workers share"
NOW_S = 1_800_000_000.0


def token(**changes: object) -> str:
    claims = {"worker": "w1", "session": "s1", "lease": "l1", "fence": 3, "now_s": NOW_S} | changes
    return issue(KEY, **claims)  # type: ignore[arg-type]


def test_a_token_says_what_it_was_issued_for() -> None:
    assert read(KEY, token(), worker="w1", now_s=NOW_S + 1) == Claims("w1", "s1", "l1", 3, NOW_S + 30, goes_on=False)


@pytest.mark.parametrize("skew_s", [-60.0, 60.0])
def test_a_worker_whose_clock_is_a_minute_off_reads_tokens_issued_in_its_own_clock(skew_s: float) -> None:
    there_s = NOW_S + skew_s
    assert read(KEY, token(now_s=NOW_S + skew_s), worker="w1", now_s=there_s + 1).fence == 3
    assert read_announcement(KEY, issue_announcement(KEY, worker="w1", now_s=there_s), now_s=NOW_S) == "w1"


def test_a_token_ends_with_a_little_leeway() -> None:
    read(KEY, token(), worker="w1", now_s=NOW_S + 31.9)
    with pytest.raises(TokenRefused, match="expired"):
        read(KEY, token(), worker="w1", now_s=NOW_S + 32.1)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (token(worker="w2"), "somebody else"),
        (issue_announcement(KEY, worker="w1", now_s=NOW_S), "malformed"),
        (token()[:-4], "not signed"),
        ("", "not signed"),
        ("a.b.c", "not signed"),
        (jwt.encode({"aud": "w1", "sub": "s"}, KEY, "HS256"), "malformed"),
        (jwt.encode({"aud": "w1", "sub": "s", "jti": "l", "fence": True, "exp": NOW_S}, KEY, "HS256"), "malformed"),
        (jwt.encode({"aud": "w1", "sub": "s", "jti": "l", "fence": 0, "exp": NOW_S}, KEY, "HS256"), "malformed"),
        (jwt.encode({"aud": "w1", "sub": "s", "jti": "l", "fence": 1, "exp": "soon"}, KEY, "HS256"), "expired"),
        (jwt.encode({"aud": "w1", "sub": "s", "jti": "l", "fence": 1, "exp": NOW_S}, "", "none"), "not signed"),
    ],
)
def test_everything_else_is_refused(given: str, why: str) -> None:
    with pytest.raises(TokenRefused, match=why):
        read(KEY, given, worker="w1", now_s=NOW_S)


def test_a_stream_token_is_no_announcement() -> None:
    with pytest.raises(TokenRefused):
        read_announcement(KEY, token(), now_s=NOW_S)
    with pytest.raises(TokenRefused, match="expired"):
        read_announcement(KEY, issue_announcement(KEY, worker="w1", now_s=NOW_S), now_s=NOW_S + 700)
