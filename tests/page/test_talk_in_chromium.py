"""Talking through the page: a real browser, the real server, ears, mind and mouth. Only the listener is a recording."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.live_server import LiveServer
from tests.page.breakable_line import breakable_line
from tests.page.chromium import (
    WORD_LIMIT_MS,
    Tape,
    lines_of,
    loud_seconds,
    needs_chromium,
    tape_of,
    visitor,
    wait_for_state,
)
from tests.page.microphone_wav import write_microphone
from tests.page.recognition import shares_recognised

pytestmark = [pytest.mark.browser, needs_chromium]

CHARACTER = "storyteller"


async def open_talk(page: Page, url: str) -> None:
    await page.goto(f"{url}/characters/{CHARACTER}/talk/")


async def has_called_before(page: Page, url: str) -> None:
    """A first call by typing, so that a recording's timing does not meet the making of a language model."""
    await open_talk(page, url)
    await page.click("#type-instead")
    await wait_for_state(page, "speaking")
    await page.click("#call")
    await wait_for_state(page, "ended")


def silence_after(tape: Tape, at_ms: float, *, length_ms: float, limit_ms: float) -> float | None:
    """When, after `at_ms`, so much silence began; None when it did not within the limit."""
    for start in range(int(at_ms), int(at_ms + limit_ms), 20):
        if loud_seconds(tape.between(start, start + length_ms), tape.rate_hz, floor=0.004) == 0:
            return start - at_ms
    return None


async def test_a_spoken_conversation_with_an_interruption(troupe: LiveServer, tmp_path: Path) -> None:
    microphone = write_microphone(
        tmp_path / "microphone.wav",
        *(3.5, "Please tell me the story about the lighthouse."),
        *(12.0, "Stop. Wait. I want to ask you something else please."),
        12.0,
    )
    troubles: list[str] = []
    async with visitor(microphone=microphone, trouble=troubles.append) as page:
        await has_called_before(page, troupe.url)
        await page.goto(troupe.url)
        await page.click(f'a[href="/characters/{CHARACTER}/talk/"]')
        await page.click("#call")
        await expect(page.locator(".line--user").first).to_contain_text("lighthouse", timeout=20_000)
        story = page.locator(".line--user").first.locator(
            "xpath=following-sibling::li[contains(@class, 'line--character')]"
        )
        await expect(story.first).to_contain_text(re.compile(r"(\w+\W+){5}"), timeout=15_000)
        await expect(page.locator("#latency")).to_be_visible()
        await expect(story.first.locator(".line__aside")).to_be_visible(timeout=20_000)
        cut_at = await page.evaluate("performance.now()")
        told = (await story.first.locator(".line__said").inner_text()).partition("—")[0]
        await page.wait_for_timeout(1_000)
        states = [state for state, _at in (await tape_of(page)).states]
        tape = await tape_of(page)
        await page.click("#call")
        await wait_for_state(page, "ended")

    assert not troubles
    assert {"connecting", "speaking", "hearing"} <= set(states)
    begun = max(at for state, at in tape.states if state == "speaking" and at < cut_at - 1_000)
    answer = tape.between(begun, cut_at)
    assert loud_seconds(answer, tape.rate_hz) > 2.0
    right, wrong = shares_recognised(answer, tape.rate_hz, caption=told)
    assert right > 0.4 and right - wrong > 0.15, f"of {told!r} {right:.2f} was recognised, of decoys {wrong:.2f}"
    # The caption is cut after the flush: by then nothing of the story may be left in any buffer.
    assert silence_after(tape, cut_at - 300, length_ms=250, limit_ms=600) is not None


async def test_without_a_microphone_one_types_and_listens(troupe: LiveServer) -> None:
    async with visitor() as page:
        await open_talk(page, troupe.url)
        await page.click("#call")
        await expect(page.locator("#notices")).to_contain_text("cannot hear you", timeout=15_000)
        await wait_for_state(page, "speaking")
        await expect(page.locator("#mute")).to_be_disabled()
        await page.fill("#say-text", "tell me a story")
        await page.press("#say-text", "Enter")
        await expect(page.locator(".line--user")).to_have_text(re.compile("tell me a story"), timeout=10_000)
        answer = page.locator(".line--user ~ .line--character .line__said")
        await expect(answer.first).to_contain_text(re.compile(r"\w+"), timeout=15_000)
        await page.wait_for_timeout(1_500)
        tape = await tape_of(page)
        await page.click("#call")
    assert loud_seconds(tape.pcm, tape.rate_hz) > 1.0


async def test_a_broken_line_is_mended_and_the_talk_goes_on(troupe: LiveServer) -> None:
    async with breakable_line(troupe.port) as line, visitor() as page:
        await open_talk(page, line.url)
        await page.click("#type-instead")
        await wait_for_state(page, "speaking")
        line.cut()
        await wait_for_state(page, "reconnecting", limit_ms=10_000)
        await expect(page.locator("#status")).to_contain_text("Reconnecting")
        line.mend()
        await wait_for_state(page, "listening", "speaking", limit_ms=15_000)
        await page.fill("#say-text", "who are you")
        await page.press("#say-text", "Enter")
        await expect(page.locator(".line--user")).to_have_text(re.compile("who are you"), timeout=10_000)
        answer = page.locator(".line--user ~ .line--character .line__said")
        await expect(answer.first).to_contain_text(re.compile(r"\w+"), timeout=15_000)
        await page.click("#call")
        await wait_for_state(page, "ended")
        # One conversation, not two, with the words of before and after the break.
        await page.goto(f"{line.url}/history/")
        await expect(page.locator(".talked")).to_have_count(1)
        await page.click(".talked")
        await expect(page.locator(".turn--user")).to_contain_text("who are you")


async def test_when_every_place_is_taken_the_page_says_so_and_offers_another_try(troupe: LiveServer) -> None:
    body = '{"error": {"code": "at_capacity", "message": "full", "retry_after_s": 5}}'
    async with visitor() as page:
        await open_talk(page, troupe.url)
        await page.route(
            "**/sessions/", lambda route: route.fulfill(status=503, body=body, content_type="application/json")
        )
        await page.click("#type-instead")
        await expect(page.locator("#notices")).to_contain_text("all places are taken")
        await expect(page.locator("#notices")).to_contain_text("5 seconds")
        await page.unroute("**/sessions/")
        await page.get_by_role("button", name="Try again").click()
        await wait_for_state(page, "speaking")


async def test_words_appear_while_they_are_heard_and_not_before(troupe: LiveServer) -> None:
    async with visitor() as page:
        await open_talk(page, troupe.url)
        await page.click("#type-instead")
        await wait_for_state(page, "speaking")
        counts = []
        for _ in range(4):
            counts.append(len(" ".join(await lines_of(page, "character")).split()))
            await page.wait_for_timeout(700)
        await page.click("#call")
    assert counts[0] <= 3
    assert counts == sorted(counts) and counts[-1] > counts[0]


async def test_chips_change_the_manner_and_begin_what_one_can_do(troupe: LiveServer) -> None:
    async with visitor() as page:
        await open_talk(page, troupe.url)
        await page.click("#type-instead")
        await wait_for_state(page, "speaking")
        whisper = page.locator('[data-style="whisper"]')
        await whisper.click()
        await expect(whisper).to_have_attribute("aria-pressed", "true")
        if not await page.locator("#wings-panel").is_visible():
            await page.click("#more")
        first = page.locator("[data-activity]").first
        await first.click()
        await expect(first).to_have_attribute("aria-pressed", "true", timeout=WORD_LIMIT_MS)
        await page.click("#call")
