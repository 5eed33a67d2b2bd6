"""The pages for everybody: in Chinese, with a keyboard, on a phone, in the dark, within the content policy."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.live_server import LiveServer
from tests.page.chromium import needs_chromium, visitor, wait_for_state

pytestmark = [pytest.mark.browser, needs_chromium]

PAGES = [
    "/",
    "/characters/storyteller/",
    "/characters/storyteller/talk/",
    "/history/",
    "/accounts/login/",
    "/no/such/page/",
]
NAMELESS = """() => [...document.querySelectorAll('button, a, input:not([type=hidden]), select')]
    .filter((each) => each.offsetParent !== null && !each.closest('[aria-hidden]'))
    .filter((each) => !(each.ariaLabel || each.textContent.trim() || each.labels?.length || each.title))
    .map((each) => each.outerHTML)"""
CONTRAST_TOO_LOW = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")


async def _overflow_px(page: Page) -> int:
    return await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_no_page_is_wider_than_a_small_phone(troupe: LiveServer, locale: str) -> None:
    async with visitor(locale=locale, viewport=(360, 740)) as page:
        for path in PAGES:
            await page.goto(troupe.url + path)
            assert await _overflow_px(page) <= 0, path


async def test_every_control_has_a_name_and_every_page_one_heading(troupe: LiveServer) -> None:
    async with visitor() as page:
        for path in PAGES:
            await page.goto(troupe.url + path)
            assert await page.evaluate(NAMELESS) == [], path
            assert await page.locator("h1").count() == 1, path
            assert await page.locator("main").count() == 1, path


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_text_can_be_read_on_its_ground(troupe: LiveServer, theme: str) -> None:
    async with visitor() as page:
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for path in PAGES:
            await page.goto(troupe.url + path)
            assert await page.evaluate(CONTRAST_TOO_LOW) == [], path


async def test_no_page_does_what_its_content_policy_forbids(troupe: LiveServer) -> None:
    troubles: list[str] = []
    async with visitor(trouble=troubles.append) as page:
        for path in PAGES:
            await page.goto(troupe.url + path)
            await page.wait_for_timeout(150)
    assert troubles == []


async def test_a_call_is_held_with_the_keyboard_alone(troupe: LiveServer) -> None:
    async with visitor() as page:
        await page.goto(f"{troupe.url}/characters/storyteller/talk/")
        for _ in range(15):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.id") == "type-instead":
                break
        await page.keyboard.press("Enter")
        await wait_for_state(page, "speaking")
        assert await page.evaluate("document.activeElement.id") == "say-text"
        await expect(page.locator("#status-announcer")).to_contain_text("Calling")
        await page.focus("#call")
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        await page.keyboard.press("Space")
        await wait_for_state(page, "ended")
        await expect(page.locator("#status-announcer")).to_contain_text("ended")


async def test_a_browser_set_to_chinese_meets_a_chinese_page_and_may_change_it(troupe: LiveServer) -> None:
    async with visitor(locale="zh-CN") as page:
        await page.goto(troupe.url)
        await expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
        await expect(page.locator("h1")).to_have_text("想和谁聊聊？")
        await page.click('a[href="/characters/storyteller/talk/"]')
        await expect(page.locator("#status")).to_have_text("点「通话」，打个招呼")
        await page.click("#type-instead")
        await wait_for_state(page, "speaking")
        await expect(page.locator("#status")).to_contain_text("在说")
        await page.click("#call")
        await expect(page.locator("#status")).to_have_text("通话已结束")
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await expect(page.locator("#status")).to_have_text("Tap Talk and say hello")


async def test_a_chosen_theme_outlives_the_page(troupe: LiveServer) -> None:
    async with visitor() as page:
        await page.goto(troupe.url)
        ground = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(ground)
        await page.click("#theme")
        dark = await page.evaluate(ground)
        await page.goto(f"{troupe.url}/history/")
        assert await page.evaluate(ground) == dark != light
        await expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")


async def test_a_past_talk_can_be_read_saved_and_deleted(troupe: LiveServer) -> None:
    async with visitor() as page:
        await page.goto(f"{troupe.url}/characters/storyteller/talk/")
        await page.click("#type-instead")
        await wait_for_state(page, "speaking")
        await page.fill("#say-text", "who are you")
        await page.press("#say-text", "Enter")
        await expect(page.locator(".line--user ~ .line--character .line__said")).to_contain_text("a", timeout=15_000)
        await page.click("#call")
        await wait_for_state(page, "ended")
        await page.goto(f"{troupe.url}/history/")
        await page.click(".talked")
        await expect(page.locator(".turn--user .turn__said")).to_have_text("who are you")
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Save as text").click()
        saved = (await (await download.value).path()).read_text(encoding="utf-8")
        assert "who are you" in saved
        await page.get_by_role("button", name="Delete").click()
        await page.locator("dialog").get_by_role("button", name="Delete").click()
        await expect(page.locator(".talked")).to_have_count(0)
