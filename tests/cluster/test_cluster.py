"""A deployment with real PostgreSQL, Redis and processes: a call goes through it, and survives what dies."""

from scripts.calls.call import Call
from scripts.fault_suite.stage import Stage
from scripts.fault_suite.transcripts import TranscriptCheck

GOES_ON_S = 45.0
SETTLES_S = 45.0
WISH = "tell me a funny story"


async def _goes_on(stage: Stage, call: Call) -> None:
    words = len(call.conversation.word_times)
    await stage.until(lambda: len(call.conversation.word_times) > words + 5, "the story goes on", GOES_ON_S)


async def _transcript(stage: Stage, call: Call) -> TranscriptCheck:
    return await stage.outside(stage.transcripts, [call])


async def test_a_story_survives_the_worker_and_the_web_process_that_tell_it(stage: Stage) -> None:
    call = await stage.open(stage.plan(echoes=False))
    await stage.story(call, WISH)

    worker = await stage.outside(stage.worker_of, call)
    await stage.outside(stage.cluster.kill, worker)
    await _goes_on(stage, call)
    assert call.record.remembered == 0, "the listener's own connection is not concerned"
    leases = await stage.outside(stage.records.leases, call.session_id)
    assert len(leases) >= 2, "another stream carries the story on"
    await stage.outside(stage.cluster.wait_ready, worker)

    web = await stage.outside(stage.web_of, call)
    await stage.outside(stage.cluster.kill, web)
    await stage.until(lambda: call.record.remembered == 1, "the client came back", GOES_ON_S)
    await _goes_on(stage, call)

    await stage.end([call])
    assert call.record.close_code == 1000
    # The client is let go before the last turn is stored; the session's row says when all is written.
    settled = await stage.outside(stage.records.wait_settled, SETTLES_S)
    assert settled["open_leases"] == 0 and settled["live_sessions"] == 0
    turns = await _transcript(stage, call)
    assert turns.checked >= 3
    assert (turns.lost, turns.wrong) == ([], [])
    assert sorted(stage.cluster.crashes) == sorted([worker, web])
