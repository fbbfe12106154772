"""The console in the browser: its pages work, break no rule, and fit a small screen."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.test_accessibility import check
from tests.browser.visitor import Visitor
from tests.integration.servers import Server, manage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "staff-of-the-console-7"


async def staff(browser: Browser, server: Server, name: str, **options: Any) -> Visitor:
    """Make somebody of the staff, and sign them in."""
    about = {"DJANGO_SUPERUSER_USERNAME": name, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    environment = {**server.environment(), **about, "DJANGO_SUPERUSER_EMAIL": "s@example.org"}
    manage("createsuperuser", "--noinput", env=environment)
    visitor = await Visitor.arrive(browser, server, **options)
    page = visitor.page
    await page.goto(f"{server.url}/console/")
    await page.fill("[name=username]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.press("[name=password]", "Enter")
    await page.wait_for_url("**/console/logs")
    return visitor


async def is_live(page: Page) -> None:
    await page.locator("#state[data-state=open]").wait_for()


async def test_staff_watch_the_log_filter_it_and_write_into_it(
    chromium: Browser, server: Server
) -> None:
    visitor = await staff(chromium, server, "watcher")
    page = visitor.page
    await is_live(page)
    await page.get_by_text("POST /account/sign-in").first.wait_for()
    await page.select_option("#write-level", "ERROR")
    await page.fill("#message", "a \u202eline of <b>mine</b>")
    await page.press("#message", "Enter")
    line = page.locator(".log-line", has_text=r"a \u202eline of <b>mine</b>")
    await line.wait_for()
    assert await line.get_attribute("data-level") == "ERROR"

    await page.select_option("#level", "ERROR")
    await line.wait_for()
    assert set(await page.locator(".log-level").all_inner_texts()) == {"ERROR"}
    await page.fill("#text", "no such words")
    await page.locator(".log-line").first.wait_for(state="detached")

    await page.get_by_role("link", name="System").click()
    await page.locator(".plot dd", has_text="%").first.wait_for()
    await page.locator("#processes tr").first.wait_for()
    await expect(page.locator(".plot-line").first).to_have_attribute("d", re.compile("."))
    await page.get_by_role("link", name="Streams").click()
    await expect(page.locator("[data-kind=events] dd")).to_have_text(re.compile("[1-9]"))
    await page.get_by_role("link", name="Connection").click()

    async def is_fine() -> bool:
        # A machine that stalls meanwhile has bursts, too: it may be asked again.
        if await page.locator(".verdict[data-verdict=fine]").count() == 2:
            return True
        if await page.locator("#again:enabled").count():
            await page.click("#again")
        return False

    await visitor.until(is_fine, "the connection is not found to be fine", 40)
    await visitor.leave()
    assert visitor.complaints() == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 320)])
async def test_no_page_of_the_console_breaks_a_rule(
    chromium: Browser, server: Server, theme: Any, width: int
) -> None:
    size = {"width": width, "height": 700}
    visitor = await staff(chromium, server, theme, viewport=size, color_scheme=theme)
    page = visitor.page
    found = []
    for name in ("logs", "system", "streams", "path"):
        await page.goto(f"{server.url}/console/{name}")
        await is_live(page)
        found += await check(page, name)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, name
    await visitor.leave()
    assert not found, "\n".join(found)
    assert visitor.complaints() == []
