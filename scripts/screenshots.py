#!/usr/bin/env python
"""Takes pictures of the pages: catalogue, character, talk (idle, listening, speaking, interrupted), history.

    scripts/screenshots.py OUT_DIR [--url URL] [--character SLUG]

Without `--url` it starts a server of its own on a free port, with a folder of its own, and stops it afterwards. Each
page is taken in English and Chinese, on a desk and on a phone, in light and in dark. Needs Chromium, and flite or
espeak-ng for the words of the visitor.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.served import free_port  # noqa: E402  (found under ROOT)
from tests.page.microphone_wav import write_microphone  # noqa: E402  (found under ROOT)

START_LIMIT_S = 180.0
WORD_LIMIT_MS = 120_000
CALL_LIMIT_S = 45.0
RECORDING = (12.0, "Please tell me a story.", 12.0, "Stop. Wait a moment please.", 10.0)
"""The visitor: quiet during the greeting, a question, a while to listen, an interruption."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@dataclass(frozen=True, slots=True)
class Look:
    """How a visitor sees the pages."""

    name: str
    locale: str
    width: int
    height: int
    scheme: str

    @property
    def is_phone(self) -> bool:
        return self.width < 600


LOOKS = [
    Look("en-desk-light", "en-US", 1280, 800, "light"),
    Look("en-phone-light", "en-US", 390, 844, "light"),
    Look("zh-desk-dark", "zh-CN", 1280, 800, "dark"),
    Look("zh-phone-dark", "zh-CN", 390, 844, "dark"),
]


@contextlib.contextmanager
def own_server() -> Iterator[str]:
    """`manage.py serve` on a free port; its language models are kept, its data is not."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with tempfile.TemporaryDirectory() as folder:
        cache = ROOT / "var" / "cache"
        if cache.is_dir():
            shutil.copytree(cache, Path(folder) / "cache")
        environment = {**os.environ, "TROUPE_VAR_DIR": folder}
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                _wait_until_up(url)
                yield url
            finally:
                server.terminate()


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.5)
    raise SystemExit(f"nothing answers at {url}")


class Photographer:
    def __init__(self, page: Page, look: Look, folder: Path) -> None:
        self.page = page
        self.look = look
        self.folder = folder

    async def take(self, name: str, *, whole: bool = False) -> None:
        path = self.folder / f"{name}-{self.look.name}.png"
        await self.page.screenshot(path=path, full_page=whole)
        print(path)

    async def state(self, *states: str) -> None:
        wanted = ", ".join(f'#talk[data-state="{state}"]' for state in states)
        await self.page.wait_for_selector(wanted, state="attached", timeout=WORD_LIMIT_MS)

    async def rehearse(self) -> None:
        """A first call, typed: the character's language model may have to be made, and a recording does not wait."""
        await self.page.click("#type-instead")
        await self.state("speaking")
        await self.page.click("#call")
        await self.state("ended")
        await self.page.reload()
        await self.page.wait_for_load_state("networkidle")

    async def call(self) -> None:
        """Pictures of each state as it comes, of the latency, and of the end."""
        await self.take("talk-idle")
        await self.page.click("#call")
        missing = {"listening": 0.6, "hearing": 0.9, "speaking": 2.5, "ducked": 0.1}
        since, before, deadline = time.monotonic(), "", time.monotonic() + CALL_LIMIT_S
        while missing and time.monotonic() < deadline:
            state = await self.page.get_attribute("#talk", "data-state") or ""
            if state != before:
                since, before = time.monotonic(), state
            elif state in missing and time.monotonic() - since > missing[state]:
                del missing[state]
                await self.take(f"talk-{state}")
            await self.page.wait_for_timeout(40)
        await self.state("speaking", "listening")
        await self.page.wait_for_timeout(2_500)
        await self.take("talk-later")
        if await self.page.is_visible("#latency"):
            await self.page.click("#latency")
            await self.take("talk-latency")
            await self.page.click("#latency")
        await self.page.click("#call")
        await self.state("ended")
        await self.take("talk-ended")


async def visit(browser: Browser, look: Look, url: str, character: str, folder: Path) -> None:
    context = await browser.new_context(
        locale=look.locale,
        viewport={"width": look.width, "height": look.height},
        color_scheme=look.scheme,  # type: ignore[arg-type]
        device_scale_factor=2 if look.is_phone else 1,
        is_mobile=look.is_phone,
        has_touch=look.is_phone,
        permissions=["microphone"],
    )
    page = await context.new_page()
    photographer = Photographer(page, look, folder)
    await page.goto(url)
    await page.wait_for_load_state("networkidle")
    await photographer.take("catalogue", whole=True)
    await page.goto(f"{url}/characters/{character}/")
    await page.wait_for_load_state("networkidle")
    await photographer.take("character", whole=True)
    await page.goto(f"{url}/characters/{character}/talk/")
    await page.wait_for_load_state("networkidle")
    await photographer.rehearse()
    await photographer.call()
    await page.goto(f"{url}/history/")
    await photographer.take("history")
    await page.click(".talked")
    await page.wait_for_load_state("networkidle")
    await photographer.take("transcript", whole=True)
    await context.close()


async def tour(url: str, character: str, folder: Path) -> None:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as temporary:
        microphone = Path(temporary) / "microphone.wav"
        write_microphone(microphone, *RECORDING)
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}%noloop"]
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=executable, args=flags)
            for look in LOOKS:
                await visit(browser, look, url, character, folder)
            await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--url", help="a running Troupe; without it one is started")
    parser.add_argument("--character", default="storyteller")
    options = parser.parse_args()
    options.out_dir.mkdir(parents=True, exist_ok=True)
    server = contextlib.nullcontext(options.url) if options.url else own_server()
    with server as url:
        asyncio.run(tour(url.rstrip("/"), options.character, options.out_dir))


if __name__ == "__main__":
    main()
