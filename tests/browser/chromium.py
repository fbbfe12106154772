"""Debian's Chromium under Playwright."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run a browser for the time of the block."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no Chromium here; scripts/debian-packages.sh installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()
