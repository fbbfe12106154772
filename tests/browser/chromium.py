"""Debian's Chromium under Playwright."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The first that is here: the shell spares itself the windows that nobody sees."""


def program() -> str:
    """Find a browser on this machine."""
    found = [path for name in PROGRAMS if (path := shutil.which(name))]
    assert found, "no Chromium here; scripts/debian-packages.sh installs it"
    return found[0]


@asynccontextmanager
async def launched(*arguments: str) -> AsyncIterator[Browser]:
    """Run a browser for the time of the block, with further arguments of its command line."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(), args=["--no-sandbox", *arguments]
        )
        yield browser
        await browser.close()
