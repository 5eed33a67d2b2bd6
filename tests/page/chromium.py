"""A real Chromium whose microphone is a WAV file and whose loudspeaker is recorded."""

import base64
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import BrowserContext, Page, async_playwright

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RECORDER = Path(__file__).with_name("recorder.js")
WORD_LIMIT_MS = 60_000
"""How long the first words of a character may take: its language model may have to be made first."""

QUIET_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_chromium = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium is installed")


@dataclass(frozen=True, slots=True)
class Tape:
    """What the page played and went through."""

    pcm: NDArray[np.float32]
    rate_hz: int
    started_at_ms: float
    """On the page's clock."""

    states: list[tuple[str, float]]
    """Each with the page's clock at its beginning, ms."""

    def between(self, start_ms: float, end_ms: float) -> NDArray[np.float32]:
        """The sound of a stretch of the page's clock."""
        first, last = (max(0, int((at - self.started_at_ms) / 1000 * self.rate_hz)) for at in (start_ms, end_ms))
        return self.pcm[first:last]


def loud_seconds(pcm: NDArray[np.float32], rate_hz: int, floor: float = 0.01) -> float:
    """How much of the sound is louder than `floor` (RMS of 20 ms)."""
    width = rate_hz // 50
    blocks = pcm[: len(pcm) // width * width].reshape(-1, width)
    return float(np.sum(np.sqrt(np.mean(blocks**2, axis=1)) > floor)) / 50


@asynccontextmanager
async def visitor(
    *,
    microphone: Path | None = None,
    locale: str = "en-US",
    viewport: tuple[int, int] = (1280, 800),
    trouble: Callable[[str], None] | None = None,
) -> AsyncIterator[Page]:
    """A person with a browser of their own, who refuses the page a microphone unless there is a recording for it.

    `trouble` is told of every error of a script and every breach of the content policy.
    """
    flags = list(QUIET_FLAGS)
    flags.append("--use-fake-device-for-media-stream")
    if microphone is not None:
        flags += ["--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=flags)
        context = await browser.new_context(
            locale=locale,
            viewport={"width": viewport[0], "height": viewport[1]},
            permissions=["microphone"] if microphone is not None else [],
        )
        await context.add_init_script(path=RECORDER)
        page = await context.new_page()
        _listen_for_trouble(context, page, trouble)
        try:
            yield page
        finally:
            await browser.close()


def _listen_for_trouble(context: BrowserContext, page: Page, trouble: Callable[[str], None] | None) -> None:
    if trouble is None:
        return
    page.on("pageerror", lambda error: trouble(str(error)))
    page.on("console", lambda message: trouble(message.text) if "violates" in message.text else None)


async def tape_of(page: Page) -> Tape:
    taken: dict[str, Any] = await page.evaluate("testTape.take()")
    pcm = np.frombuffer(base64.b64decode(taken["pcm"]), dtype="<i2").astype(np.float32) / np.float32(32_768)
    states = [(each["state"], float(each["at"])) for each in taken["states"]]
    return Tape(pcm, int(taken["rate"] or 48_000), float(taken["startedAt"] or 0.0), states)


async def wait_for_state(page: Page, *states: str, limit_ms: float = WORD_LIMIT_MS) -> None:
    wanted = ", ".join(f'#talk[data-state="{state}"]' for state in states)
    await page.wait_for_selector(wanted, state="attached", timeout=limit_ms)


async def lines_of(page: Page, speaker: str) -> list[str]:
    """What the captions say of one side, line by line."""
    return await page.locator(f".line--{speaker} .line__said").all_inner_texts()
