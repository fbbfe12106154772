"""The administration in a browser: live runs as they are this second, statistics, announcements."""

from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.test_accessibility import check
from tests.browser.test_console import staff
from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIVE = "/admin/holdfast_streaming/run/"
ANNOUNCE = "/admin/holdfast_conversations/announcement/add/"
STATISTICS = "/admin/holdfast_conversations/message/statistics/"


async def test_an_operator_watches_reads_and_stops_a_run_and_announces(
    chromium: Browser, server: Server, visitor: Visitor
) -> None:
    await visitor.play({"text": "So far "}, {"gate": visitor.gate}, {"text": "and on"})
    await visitor.sees("So far")
    run_id = (await visitor.stored_reply())["id"]
    operator = await staff(chromium, server, "operator")
    page = operator.page
    await page.goto(server.url + LIVE)
    row = page.locator(f"#run-{run_id}")
    cells = row.locator("td")

    async def reported() -> bool:
        return "7 characters" in await row.inner_text() and await cells.nth(6).inner_text() == "1"

    await operator.until(reported, f"shown: {await row.inner_text()}")
    assert await cells.nth(2).text_content() == "writing"
    complaints = operator.complaints()
    found = await check(page, "live runs")  # which complains itself, of pages with such a policy
    operator.errors.clear()

    await row.get_by_role("link", name="Read").click()
    await page.get_by_text("So far", exact=False).first.wait_for()
    complaints += operator.complaints()
    await page.go_back()
    await row.get_by_role("button", name="Stop").click()
    await visitor.sees_end("stopped")
    await row.wait_for(state="detached")

    await page.goto(server.url + ANNOUNCE)
    await page.fill("#id_text", "We move <b>tonight</b>")
    async with page.expect_navigation():  # from here on it is saved
        await page.click("[name=_save]")
    banner = visitor.page.locator("#banners .banner")
    await banner.get_by_text("We move <b>tonight</b>").wait_for(timeout=2500)
    found += await check(visitor.page, "a banner")
    await banner.get_by_role("button", name="Hide this announcement").click()
    await visitor.reload()
    await visitor.page.wait_for_load_state("networkidle")
    assert await banner.count() == 0
    await page.get_by_role("link", name="We move <b>tonight</b>").first.click()
    await page.get_by_role("link", name="Delete").click()
    await page.locator("#content [type=submit]").click()
    await operator.leave()
    assert complaints == []
    assert found == []


async def test_what_is_over_when_a_page_is_back_is_not_announced_there_any_more(
    chromium: Browser, server: Server, visitor: Visitor
) -> None:
    visitor.may_fail_to_load = True
    await visitor.play({"text": "Hello"})
    await visitor.sees_end()
    operator = await staff(chromium, server, "announcer")
    page = operator.page
    await page.goto(server.url + ANNOUNCE)
    await page.fill("#id_text", "Back in a minute")
    async with page.expect_navigation():
        await page.click("[name=_save]")
    banner = visitor.page.locator("#banners .banner", has_text="Back in a minute")
    await banner.wait_for()
    await visitor.context.set_offline(True)
    await visitor.page.wait_for_selector("#status-line:has-text('offline')")
    await page.get_by_role("link", name="Back in a minute").first.click()
    await page.get_by_role("link", name="Delete").click()
    async with page.expect_navigation():
        await page.locator("#content [type=submit]").click()
    await visitor.context.set_offline(False)
    await banner.wait_for(state="detached")
    await operator.leave()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_statistics_are_drawn_without_a_breach(
    chromium: Browser, server: Server, visitor: Visitor, theme: Any
) -> None:
    await visitor.play({"text": "Hello"})
    await visitor.sees_end()
    operator = await staff(chromium, server, f"counter-{theme}", color_scheme=theme)
    page = operator.page
    await page.goto(f"{server.url}{STATISTICS}?days=7")
    assert await page.locator("figure.chart").count() == 5
    assert await page.locator(".chart-plot rect").count() >= 1
    found = await check(page, "statistics")
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="Download as CSV").click()
    assert (await coming.value).suggested_filename.endswith(".csv")
    await operator.leave()
    assert operator.complaints() == []
    assert found == []
