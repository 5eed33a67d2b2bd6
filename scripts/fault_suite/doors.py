"""Faults at the doors: sessions started twice, tokens used twice."""

import asyncio
import time
import uuid
from collections import Counter
from typing import Any

from inference.client.stream_token import issue
from inference.protocol import Lane, SessionSpec
from inference.protocol.wire import Failed, decode_downlink, encode_uplink
from scripts.calls.door import Entry, Refused, Visitor
from scripts.calls.wire import Listener, Wire, WireError, open_wire
from scripts.fault_suite.fault import Fault, Trial
from scripts.fault_suite.stage import OPEN_AGAIN_S, OPEN_TRIES, NotUnderWay, Stage

OPEN_S = 5.0
OPENED = "opened"
AT_CAPACITY = 4503


class _Knock:
    """One attempt to open a socket, and what came of it."""

    def __init__(self) -> None:
        self.ready = False
        self.close_code: int | None = None
        self.wire: Wire | None = None
        self._news = asyncio.Event()

    async def open(self, url: str, headers: dict[str, str]) -> "_Knock":
        listener = Listener(self._text, lambda data: None, self._closed)
        try:
            self.wire = await open_wire(url, listener, headers=headers, limit_s=OPEN_S)
            await asyncio.wait_for(self._news.wait(), OPEN_S)
        except (WireError, OSError, TimeoutError):
            self.close_code = self.close_code or -1
        return self

    @property
    def outcome(self) -> str:
        return "ready" if self.ready else f"closed {self.close_code}"

    def _text(self, text: str) -> None:
        if '"troupe.session.ready"' in text:
            self.ready = True
            self._news.set()

    def _closed(self, code: int) -> None:
        self.close_code = code
        self._news.set()


async def two_starts(stage: Stage, trial: Trial) -> None:
    """The same token on two sockets at the same moment, at processes that know nothing of each other."""
    plan = stage.plan(echoes=True)
    visitor = stage.visitor(plan)
    trial.begin()
    tried: Counter[str] = Counter()
    for _round in range(5):
        entry, knocks = await _knock(stage, visitor, plan.character, times=2)
        outcome = Counter(knock.outcome for knock in knocks)
        tried += outcome
        trial.demand(outcome["ready"] == 1, f"two starts with one token: {dict(outcome)}")
        leases = await stage.outside(stage.records.leases, entry.session_id)
        trial.demand(len(leases) == 1, f"two starts took {len(leases)} leases")
        await _two_returns(stage, trial, entry, visitor)
        for knock in knocks:
            if knock.wire is not None:
                knock.wire.close()
    trial.notes["outcomes"] = dict(tried)


async def _knock(stage: Stage, visitor: Visitor, character: str, *, times: int) -> tuple[Entry, list[_Knock]]:
    """So many sockets at once with one token; again, with another session, while the house is full."""
    for _attempt in range(OPEN_TRIES):
        try:
            entry = await visitor.begin(character)
        except Refused as refusal:
            stage.refusals[refusal.code] += 1
        else:
            knocks = await asyncio.gather(*(_Knock().open(entry.url, entry.headers(visitor.url)) for _ in range(times)))
            if not any(knock.close_code == AT_CAPACITY for knock in knocks):
                return entry, list(knocks)
        await asyncio.sleep(OPEN_AGAIN_S)
    raise NotUnderWay("the house stays full")


async def _two_returns(stage: Stage, trial: Trial, entry: Entry, visitor: Visitor) -> None:
    """Two sockets come back to the same live session with a token each: the last one has it."""
    places = [await visitor.come_back(entry.session_id) for _ in range(2)]
    knocks = await asyncio.gather(*(_Knock().open(f"{p.url}?after=1", p.headers(visitor.url)) for p in places))
    await asyncio.sleep(0.5)
    open_now = sum(knock.ready and knock.close_code is None for knock in knocks)
    trial.demand(open_now <= 1, "two sockets hold one session")
    for knock in knocks:
        if knock.wire is not None and knock.close_code is None:
            knock.wire.close()


async def replayed_token(stage: Stage, trial: Trial) -> None:
    """A page's token used again, and a stream's: neither opens anything, and the call goes on."""
    plan = stage.plan(echoes=True)
    visitor = stage.visitor(plan)
    trial.begin()
    entry, (first,) = await _knock(stage, visitor, plan.character, times=1)
    again = await _Knock().open(entry.url, entry.headers(visitor.url))
    trial.notes["page_token"] = {"first": first.outcome, "again": again.outcome}
    trial.demand(first.ready and first.close_code is None, "the first use of a token was refused")
    trial.demand(again.close_code == 4401, f"a used token: {again.outcome}")
    trial.notes["stream_token"] = await _replayed_stream_tokens(stage, trial, entry.session_id)
    trial.demand(first.close_code is None, "the call ended because of a replayed token")
    if first.wire is not None:
        first.wire.close()


async def _replayed_stream_tokens(stage: Stage, trial: Trial, session_id: str) -> dict[str, str]:
    """Knocks at the worker itself, with the key that only the servers know."""
    worker, fence, _state, _reason = (await stage.outside(stage.records.leases, session_id))[-1]
    lease = await stage.outside(stage.records.newest_lease_id, session_id)
    url, now_s = f"ws://127.0.0.1:{stage.cluster.addresses.workers[worker]}/stream", time.time()

    def token(**changes: Any) -> str:
        claims: dict[str, Any] = {
            "worker": worker,
            "session": session_id,
            "lease": lease,
            "fence": fence,
            "now_s": now_s,
        } | changes
        return issue(stage.cluster.worker_key, **claims)

    tries = {
        "used": token(),
        "expired": token(lease="0" * 32, now_s=now_s - 300),
        "of_another_worker": token(lease="1" * 32, worker="worker-of-nobody"),
        "nonsense": "not-a-token",
    }
    found = {}
    for name, value in tries.items():
        found[name] = await _stream_answer(url, value, session_id)
        trial.demand(found[name] != OPENED, f"the worker took a token that was {name}")
    # Of a session that nobody has: two of its streams, the newer one first.
    strange = str(uuid.uuid4())
    for name, number in (("newer_stream", 5), ("older_stream", 4)):
        value = token(session=strange, lease=uuid.uuid4().hex, fence=number)
        found[name] = await _stream_answer(url, value, strange)
    trial.demand(found["newer_stream"] != OPENED or found["older_stream"] != OPENED, "an older stream replaced a newer")
    return found


async def _stream_answer(url: str, token: str, session_id: str) -> str:
    """What a worker says to this token, and to the spec of a stream when it lets the token in."""
    answers: asyncio.Queue[str] = asyncio.Queue()
    listener = Listener(answers.put_nowait, lambda data: None, lambda code: answers.put_nowait(f"closed {code}"))
    try:
        wire = await open_wire(url, listener, headers={"Authorization": f"Bearer {token}"}, limit_s=OPEN_S)
        spec = SessionSpec(session_id=session_id, character="nobody@1", lane=Lane.ECHO)
        wire.send_text(encode_uplink(spec))
        answer = await asyncio.wait_for(answers.get(), OPEN_S)
    except (WireError, OSError, TimeoutError) as error:
        return str(error) or type(error).__name__
    wire.close()
    if not answer.startswith("{"):
        return answer
    message = decode_downlink(answer)
    return message.code if isinstance(message, Failed) else OPENED


DOOR_FAULTS = [
    Fault("two_starts", "two starts of one session at once", two_starts, gap_limit_ms=500),
    Fault("replayed_token", "a token is used again", replayed_token, gap_limit_ms=500),
]
