"""The chat's page in a project that serves it below a prefix, under a strict policy of its own."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.browser.chromium import launched
from tests.embedding.hosts import EMAIL, PASSWORD, REPLY, Host, ModelServer


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


@pytest.mark.browser
async def test_the_page_signs_in_asks_reloads_and_goes_back_below_its_prefix(
    shop: Host, chromium: Browser, model_server: ModelServer
) -> None:
    server = await shop.serving()
    page = await chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
    await page.goto(f"{server.url}/assistant/")
    await page.get_by_role("link", name="Sign in").first.click()
    await page.fill("[name=username]", EMAIL)
    await page.fill("[name=password]", PASSWORD)
    await page.click("[type=submit]")
    await page.wait_for_url("**/assistant/")

    await page.fill("#message", "Hemp?")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/assistant/c/*")
    await page.get_by_text("word150").wait_for()
    await page.reload()
    await page.get_by_text("word150").wait_for()
    model_server.may_finish.set()
    await page.get_by_text(REPLY.split()[-1]).last.wait_for()

    await page.get_by_role("link", name="Hemp?").wait_for()
    link = page.get_by_role("link", name="View in the admin")
    assert (await link.get_attribute("href") or "").startswith("/back-office/")
    await page.click("a.new-button")
    await page.wait_for_url("**/assistant/")
    await page.go_back()
    await page.get_by_text("word150").wait_for()
    await page.close()
    ours = ("/assistant/", "/static/", "/sign-in/")
    assert [path for path in asked if not path.startswith(ours)] == []
