"""Screens of every kind: zoomed in, small, touched, with a keyboard over them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

Arrive = Callable[..., Awaitable[Visitor]]
WIDE = "| a | b | c |\n|---|---|---|\n" + f"| {'x' * 60} | y | z |\n\n" + "`" + "w" * 200 + "`"
SIDEWAYS = """() => [document.documentElement, document.querySelector("#transcript"),
    document.querySelector(".sidebar")].some((e) => e.scrollWidth > e.clientWidth)"""
COVER = """(height) => {
  Object.defineProperty(visualViewport, "height", { configurable: true, value: height });
  visualViewport.dispatchEvent(new Event("resize"));
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def arrive(chromium: Browser, server: Server) -> AsyncIterator[Arrive]:
    there: list[Visitor] = []

    async def come(width: int, height: int, **options: Any) -> Visitor:
        size = {"width": width, "height": height}
        there.append(await Visitor.arrive(chromium, server, viewport=size, **options))
        return there[-1]

    yield come
    for visitor in there:
        await visitor.leave()
        assert visitor.complaints() == []


async def fits(page: Page) -> None:
    assert not await page.evaluate(SIDEWAYS)


async def is_on_screen(found: Locator, height: int) -> bool:
    box = await found.bounding_box()
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= height


@pytest.mark.parametrize(("width", "height", "zoom"), [(640, 400, 2), (320, 256, 4)])
async def test_zoomed_in_one_sends_stops_edits_changes_branches_and_searches(
    arrive: Arrive, width: int, height: int, zoom: int
) -> None:
    visitor = await arrive(width, height, device_scale_factor=zoom)
    page = visitor.page
    word = f"w{uuid4().hex[:8]}"
    await visitor.play({"text": f"{word} first "}, {"gate": visitor.gate}, {"text": "never"})
    await visitor.sees("first")
    await fits(page)
    await page.click("#stop")
    await visitor.sees_end("stopped")
    visitor.open_gate()

    question = page.locator("article.question")
    await question.get_by_role("button", name="Edit").click()
    editor = page.locator(".editor")
    await editor.get_by_role("textbox").fill(
        json.dumps({"steps": [{"text": f"{word} second\n\n{WIDE}"}]})
    )
    await fits(page)
    await editor.get_by_role("button", name="Send").click()
    await visitor.sees("second")
    await visitor.sees_end()
    await fits(page)

    await question.get_by_role("button", name="Previous version").click()
    await visitor.sees("first")
    await question.get_by_role("button", name="Next version").click()
    await visitor.sees("second")

    await page.click("#sidebar-open")
    await page.fill("#search", word)
    await page.locator("#results mark").first.wait_for()
    await fits(page)
    await page.locator("#results a").first.click()
    await visitor.sees(word)
    await expect(page.locator("#message")).to_be_visible()
    found = page.locator("#message")
    await visitor.until(lambda: is_on_screen(found, height), "the field is not on the screen")


async def test_a_finger_sends_opens_menus_and_the_list_and_closes_them(arrive: Arrive) -> None:
    visitor = await arrive(390, 844, has_touch=True, is_mobile=True, device_scale_factor=3)
    page = visitor.page
    await visitor.choose("scripted")
    await page.locator("#message").tap()
    await page.fill("#message", json.dumps({"steps": [{"text": "by hand"}]}))
    await page.locator("#send").tap()
    await visitor.sees("by hand")
    await visitor.sees_end()

    await visitor.reply.get_by_role("button", name="More about this reply").tap()
    menu = page.get_by_role("menu")
    await menu.get_by_role("menuitem", name="Details").wait_for()
    await page.touchscreen.tap(195, 80)
    await menu.wait_for(state="detached")

    drawer = page.locator("#sidebar")
    await page.locator("#sidebar-open").tap()
    await page.locator(".conversation-row").first.wait_for()
    await page.locator(".conversation-row").first.get_by_role("button").tap()
    await page.get_by_role("menuitem", name="Rename").wait_for()
    await page.get_by_role("menuitem", name="Pin").tap()
    await page.get_by_role("heading", name="Pinned").wait_for()
    await fits(page)
    await page.touchscreen.tap(380, 500)
    await expect(drawer).not_to_be_in_viewport()
    await page.locator("#sidebar-open").tap()
    await expect(drawer).to_be_in_viewport()
    await page.locator("#sidebar-close").tap()
    await expect(drawer).not_to_be_in_viewport()


async def test_a_long_message_leaves_room_on_a_low_screen_and_runs_its_own_way(
    arrive: Arrive,
) -> None:
    visitor = await arrive(667, 375)
    field = visitor.page.locator("#message")
    await field.fill("שלום\n" * 40)
    box = await field.bounding_box()
    assert box and 60 < box["height"] <= 0.3 * 375
    await expect(field).to_have_css("direction", "rtl")
    await visitor.page.set_viewport_size({"width": 1280, "height": 900})

    async def is_full() -> bool:
        box = await field.bounding_box()
        return bool(box and box["height"] == 240)

    await visitor.until(is_full, "the field has not the height of a high screen")


async def test_the_drawer_has_the_keys_to_itself_and_gives_them_back(arrive: Arrive) -> None:
    visitor = await arrive(390, 844)
    page, opener, main = visitor.page, visitor.page.locator("#sidebar-open"), "main[inert]"
    await opener.click()
    await expect(page.locator(main)).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()
    await expect(page.locator(main)).to_have_count(0)
    await opener.click()
    await page.set_viewport_size({"width": 1280, "height": 844})
    await expect(page.locator(main)).to_have_count(0)


async def test_a_keyboard_on_the_screen_covers_neither_the_field_nor_what_was_said_last(
    arrive: Arrive,
) -> None:
    visitor = await arrive(390, 844, has_touch=True, is_mobile=True)
    page = visitor.page
    lines = "".join(f"- line {number}\n" for number in range(60)) + "- the end"
    await visitor.play({"text": lines})
    await visitor.sees_end()
    field, last = page.locator("#message"), visitor.reply.locator("li").last
    await field.tap()
    size = {"width": 390, "height": 844}

    # Chromium and Firefox shrink the page, as its meta asks them to.
    await page.set_viewport_size({**size, "height": 420})
    await visitor.until(lambda: is_on_screen(last, 420), "the end of the reply is covered")
    assert await is_on_screen(field, 420)
    await page.set_viewport_size(size)

    # Safari lays the keyboard over it, and tells only the visual viewport.
    await page.evaluate(COVER, 420)
    await visitor.until(lambda: is_on_screen(field, 420), "the field is covered")
    await visitor.until(lambda: is_on_screen(last, 420), "the end of the reply is covered")
    await page.evaluate(COVER, 844)

    async def is_back_at_the_end() -> bool:
        box = await field.bounding_box()
        return box is not None and box["y"] > 600 and await is_on_screen(field, 844)

    await visitor.until(is_back_at_the_end, "the field has gone")
